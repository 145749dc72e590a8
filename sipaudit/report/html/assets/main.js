// Opening the page: the words are there already; lanes and findings come next, the pictures last.
function setTheme(dark) {
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
  $('theme').textContent = dark ? 'Light' : 'Dark';  // what a press makes of it
  if (box) redraw();
}
function setUpTheme() {
  const system = matchMedia('(prefers-color-scheme: dark)');
  setTheme(system.matches);
  system.addEventListener('change', () => setTheme(system.matches));
  $('theme').addEventListener('click', () => setTheme(document.documentElement.dataset.theme !== 'dark'));
}
// On paper it is light, and the lanes are as long as they are.
function setUpPrint() {
  let before = null;
  window.addEventListener('beforeprint', () => {
    before = document.documentElement.dataset.theme;
    sight.printing = true;
    setTheme(false);
    measure();
    fitPictures(true);
  });
  window.addEventListener('afterprint', () => {
    sight.printing = false;
    setTheme(before === 'dark');
    measure();
    fitPictures(false);
  });
}
// When nobody does anything: starting plotly takes a second or more, in which the page would not answer.
function quietMoment() {
  const signs = ['pointerdown', 'keydown', 'wheel', 'input'];
  return new Promise(resolve => {
    const done = () => {
      for (const sign of signs) removeEventListener(sign, wait);
      resolve();
    };
    let timer = setTimeout(done, 100);
    const wait = () => {
      clearTimeout(timer);
      timer = setTimeout(done, 1500);
    };
    for (const sign of signs) addEventListener(sign, wait, {passive: true});
  });
}
async function open() {
  I = await value('index');
  document.documentElement.classList.add('on');
  setUpFilters();
  setUpSheet();
  setUpFindings();
  setUpLanes();
  setUpWhereabouts();
  setUpPrint();
  filter();
  for (const element of document.querySelectorAll('.swatch[data-server]')) element.style.background = colour(Number(element.dataset.server));
  for (const button of document.querySelectorAll('.show-incident')) button.addEventListener('click', () => showIncident(button.dataset.incident));
  if (view.lines.length) await wantLane(view.lines[0]);
  followLink();
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
  await quietMoment();
  await drawPictures();
}
setUpTheme();
open().catch(error => {
  const trouble = $('trouble');
  trouble.hidden = false;
  trouble.textContent = `This page could not be opened in full (${error.message}). A browser of 2023 or later is needed; report.json, report.md and findings.csv hold the same.`;
});
