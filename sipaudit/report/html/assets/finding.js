// The sheet: a finding or a line opened beside the page.
const JUDGED = ['reRegisterOn', 'failRegistrationOn', 'onlySignalWithRegistered', 'failBack.mode', 'failBack.timeout'];
let sheet = null;

function setUpSheet() {
  sheet = $('sheet');
  sheet.addEventListener('close', () => {
    if (/^#f-/.test(location.hash)) history.replaceState(null, '', '#findings');
  });
  sheet.addEventListener('click', event => { if (event.target === sheet) sheet.close(); });
  window.addEventListener('hashchange', followLink);
}
function followLink() {
  const id = decodeURIComponent(location.hash.slice(1));
  const finding = I.findings.id.indexOf(id);
  if (finding >= 0) openFinding(finding);
  else if (sheet.open) sheet.close();
  const folded = $(id)?.closest('.others:not([open])');  // an incident: not every browser unfolds what a link leads to
  if (folded) {
    folded.open = true;
    $(id).scrollIntoView();
  }
}
function showSheet(title, buttons, content) {
  $('sheet-body').replaceChildren(make('div', {class: 'sheet'},
    make('div', {class: 'sheet-head'}, ...buttons, make('span', {class: 'grow'}),
      make('button', {type: 'button', on: {click: () => sheet.close()}}, 'Close')),
    make('h2', {id: 'sheet-title'}, title), ...content));
  hideTip();
  if (!sheet.open) sheet.showModal();
  sheet.scrollTop = 0;
}
const part = (words, ...content) => make('section', {style: 'padding-top:1rem'}, make('h3', {}, words), ...content);

async function openFinding(finding) {
  const [details, wire] = await Promise.all([detailsOf(finding), messagesOf(finding)]);
  const all = I.findings, id = all.id[finding], line = all.line[finding], rule = I.rules[all.rule[finding]];
  const [expected, observed, basis, facts, confidence, assumptions, also, cause, suppressed, about, filterText,
    evidence, proofs, hasFile] = details;
  const place = view.findings.indexOf(finding);
  const step = by => make('button', {type: 'button', disabled: view.findings[place + by] === undefined || place < 0,
    on: {click: () => { location.hash = findingLink(all.id[view.findings[place + by]]); }}}, by < 0 ? '← Previous' : 'Next →');
  const lines = [
    make('p', {}, severity(all.severity[finding]), ` ${confidence}`,
      all.time[finding] === null ? '' : make('span', {}, ' at ', make('span', {class: 'time'}, `${day(all.time[finding])} ${clock(all.time[finding])}`)),
      line < 0 ? ` ${about || ''}` : make('span', {}, ' on ', link(lineName(line), () => openLine(line)),
        all.time[finding] === null ? others(facts.lines) : `, phone ${shortPlace(I.lines.phone[line])}`),
      all.server[finding] < 0 ? '' : make('span', {}, ', server ', named(all.server[finding])), '.'),
    suppressed === null ? null : make('p', {}, make('span', {class: 'badge'}, 'suppressed'), ` ${suppressed}. It counts nowhere.`),
    make('div', {class: 'against'},
      make('div', {class: 'due'}, make('h3', {}, 'Expected'), make('p', {}, expected)),
      make('div', {class: 'seen'}, make('h3', {}, 'Observed'), make('p', {}, observed))),
    factList(facts, basis),
    ruleText(rule),
    assumptions.length ? make('p', {class: 'note'}, `Holds only under: ${assumptions.join(', ')} (see “Assumptions” at the end of the page).`) : null,
    also.length ? make('p', {class: 'note'}, `The same request breaks: ${also.join(', ')}.`) : null,
    cause === null ? null : make('p', {}, 'Follows from ', make('a', {href: '#' + cause}, cause), '.'),
    all.incident[finding] < 0 ? null : make('p', {}, 'Part of ', make('a', {href: '#' + I.incidentIds[all.incident[finding]],
      on: {click: () => sheet.close()}}, `incident ${I.incidentIds[all.incident[finding]]}`), '.'),
    line < 0 ? null : settingList(line, JUDGED),
    ...evidencePart(id, finding, evidence, proofs, filterText, hasFile, wire),
  ];
  showSheet(make('span', {}, code(id), ' ', rule), [step(-1), step(1)], lines);
}

// What provisioning files say may hold for several lines, of which the finding names the first.
const others = lines => lines > 1 ? ` and ${counted(lines - 1, 'more line')}` : '';

function factList(facts, basis) {
  const rows = Object.entries(facts).filter(([, value]) => value !== null);
  const shown = (name, value) => (Array.isArray(value) ? value.join(' to ') : String(value)) + (I.seconds.includes(name) && typeof value !== 'string' ? ' s' : '');
  return make('dl', {}, ...rows.map(([name, value]) => fact(I.words[name] || name, shown(name, value))),
    basis.length ? fact('requirement', basis.join(', ')) : null);
}
// What the rule says stands in the page already, beside its count.
function ruleText(rule) {
  const written = $('rule-' + rule);
  if (!written) return null;
  const copy = written.cloneNode(true);
  copy.removeAttribute('id');
  return copy;
}
function settingList(line, wantedNames) {
  const set = I.lines.settingSets[I.lines.settings[line]];
  const names = wantedNames || Object.keys(set).sort();
  const rows = names.filter(name => name in set).map(name => {
    const [given, source, origin] = set[name];
    return row([cell('short', code(name)), cell('short', given === null ? '–' : clip(String(given), 40)), cell('short', origin), source === null ? '–' : code(source)]);
  });
  if (!rows.length) return make('p', {class: 'note'}, 'No setting of this line is declared: see “What could not be judged”.');
  return part('Settings in force', scrolling('Settings', table([['Setting'], ['Value'], ['Origin'], ['From']], rows)));
}
