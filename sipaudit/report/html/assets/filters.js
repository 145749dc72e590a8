// Which lines and findings are wanted: one set of filters for lanes, findings and the table of whereabouts.
const view = {lines: [], findings: []};
const watchers = [];
const whenFiltered = run => watchers.push(run);

const ORDERS = {
  worst: null,  // the order of the page
  line: (a, b) => compare(I.lines.line[a], I.lines.line[b]) || a - b,
  phone: (a, b) => compare(I.lines.phone[a], I.lines.phone[b]) || a - b,
  moves: (a, b) => I.lines.moves[b] - I.lines.moves[a] || a - b,
};
const compare = new Intl.Collator('en', {numeric: true}).compare;

function wanted() {
  const form = new FormData($('filters'));
  const number = name => form.get(name) === '' || form.get(name) === null ? null : Number(form.get(name));
  return {
    text: form.get('text').trim().toLowerCase(), order: form.get('order'), group: number('group'),
    server: number('server'), rule: number('rule'), severity: number('severity'), incident: number('incident'),
  };
}

function lineFits(line, asked, ofIncident) {
  const all = I.lines;
  if (asked.group !== null && all.group[line] !== asked.group) return false;
  if (asked.server !== null && !all.used[line].includes(asked.server)) return false;
  return !ofIncident || ofIncident.has(line);
}

function lineSays(line, text) {
  const all = I.lines;
  return !text || [all.line[line], all.phone[line], all.label[line] || ''].some(
    words => words.toLowerCase().includes(text));
}

// A finding that is not about one line that is shown (of provisioning files) goes by its own text alone.
function findingFits(finding, asked, fits) {
  const all = I.findings, line = all.line[finding];
  if (asked.rule !== null && all.rule[finding] !== asked.rule) return false;
  if (asked.severity !== null && (all.severity[finding] < asked.severity || all.suppressed[finding])) return false;
  if (asked.incident !== null && all.incident[finding] !== asked.incident && !fits[line]) return false;
  if (asked.server !== null && all.server[finding] !== asked.server && !fits[line]) return false;
  if (asked.text && all.id[finding].includes(asked.text)) return true;
  if (line < 0) return asked.group === null && !asked.text;
  return fits[line] === 1;
}

function filter() {
  const asked = wanted();
  const ofIncident = asked.incident === null ? null : new Set(I.incidents[asked.incident][4]);
  const meant = I.lines.line.map((_, line) => lineFits(line, asked, ofIncident));
  const fits = meant.map((is, line) => is && lineSays(line, asked.text) ? 1 : 0);
  const findings = [];
  for (let finding = 0; finding < I.findings.id.length; finding++) {
    if (findingFits(finding, asked, fits)) findings.push(finding);
  }
  const accused = new Set(findings.map(finding => I.findings.line[finding]));
  // A line is also found by the id of its finding, of which alone is told then.
  let lines = [...fits.keys()].filter(line => fits[line] || (asked.text && meant[line] && accused.has(line)));
  if (asked.rule !== null || asked.severity !== null) lines = lines.filter(line => accused.has(line));
  if (ORDERS[asked.order]) lines.sort(ORDERS[asked.order]);
  view.lines = lines;
  view.findings = findings;
  $('fitting').textContent = `${counted(lines.length, 'line')}, ${counted(findings.length, 'finding')}`;
  watchers.forEach(run => run());
}

function setUpFilters() {
  const form = $('filters');
  const options = (name, list) => list.forEach(([key, words]) =>
    form.elements[name].append(make('option', {value: key}, words)));
  options('group', I.lines.groups.map((name, number) => [number, name]));
  options('server', I.servers.map(([key, name], number) => [number, name === shortPlace(key.split('/')[0]) ? name : `${name} (${key.split(':5060/')[0]})`]));
  options('rule', I.rules.map((name, number) => [number, name]));
  options('incident', I.incidents.map(([kind, server], number) =>
    [number, `${I.incidentIds[number]} ${kind}${server < 0 ? '' : ' ' + serverName(server)}`]));
  for (const name of ['group', 'server', 'rule', 'incident']) {
    form.elements[name].closest('label').hidden = form.elements[name].options.length < 2;
  }
  let waiting = null;
  form.addEventListener('input', () => { clearTimeout(waiting); waiting = setTimeout(filter, 120); });
  form.addEventListener('reset', () => setTimeout(filter));
  form.addEventListener('submit', event => event.preventDefault());
}
// Shows all lines of an incident, and its time.
function showIncident(id) {
  const number = I.incidentIds.indexOf(id);
  const [, , start, end] = I.incidents[number];
  $('filters').reset();
  $('filters').elements.incident.value = number;
  filter();
  const until = end === null ? I.end : end;
  lookAt(start - Math.max((until - start) * 0.3, 5000), until + Math.max((until - start) * 0.3, 5000));
  $('lanes').scrollIntoView();
}
