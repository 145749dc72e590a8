// Making elements. Text goes in as text only, so whatever a header holds stays what it is: characters.
const $ = id => document.getElementById(id);

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, given] of Object.entries(attributes)) {
    if (name === 'on') for (const [event, run] of Object.entries(given)) element.addEventListener(event, run);
    else if (given === true) element.setAttribute(name, '');
    else if (given !== false && given != null) element.setAttribute(name, given);
  }
  element.append(...children.filter(child => child != null));
  return element;
}
function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, given] of Object.entries(attributes)) element.setAttribute(name, given);
  element.append(...children);
  return element;
}
const code = words => make('code', {}, String(words));
const severity = rank => make('span', {class: 'severity ' + SEVERITIES[rank]}, SEVERITIES[rank]);
function swatch(server) {
  const element = make('span', {class: 'swatch', 'aria-hidden': 'true'});
  element.style.background = colour(server);
  return element;
}
const named = server => make('span', {class: 'named'}, swatch(server), ' ' + serverName(server));
const link = (words, run, kind = '') => make('button', {type: 'button', class: 'link ' + kind, on: {click: run}}, words);

function table(heads, rows, kind = '') {
  return make('table', {class: kind}, make('thead', {}, make('tr', {}, ...heads.map(([words, cell]) =>
    make('th', {class: cell || false, scope: 'col'}, words)))), make('tbody', {}, ...rows));
}
const row = (cells, attributes = {}) => make('tr', attributes, ...cells.map(cell =>
  cell instanceof HTMLElement && cell.tagName === 'TD' ? cell : make('td', {}, cell ?? '–')));
// What may be wider than the page: it scrolls by itself, with the keyboard too.
const scrolling = (label, content, kind = 'scroll') =>
  make('div', {class: kind, tabindex: '0', role: 'region', 'aria-label': label}, content);
const fact = (name, words) => make('div', {}, make('dt', {}, name), make('dd', {}, words));
const cell = (kind, ...content) => make('td', {class: kind}, ...content);

// Something to paste elsewhere, with a button that copies it.
function paste(words) {
  const button = make('button', {type: 'button', class: 'quiet'}, 'Copy');
  button.addEventListener('click', async () => {
    button.textContent = await copy(words) ? 'Copied' : 'Press Ctrl+C';
    setTimeout(() => { button.textContent = 'Copy'; }, 1600);
  });
  return make('div', {class: 'paste'}, code(words), button);
}
async function copy(words) {
  try {
    await navigator.clipboard.writeText(words);
    return true;
  } catch {
    const area = make('textarea', {});
    area.value = words;
    (document.querySelector('dialog[open]') || document.body).append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    return done;
  }
}
const breath = () => new Promise(resolve => setTimeout(resolve));
const style = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
