// Where was every line at a moment: by server, and line by line.
let at = 0, atTable = null;
const STATES = ['registered', 'not registered', 'looking for another server', 'not seen'];

function setUpWhereabouts() {
  atTable = new Paged($('at-lines'), 'Where every line was', [['Line'], ['Phone'], ['Works with'], ['State'], ['Registered until'], ['Call']],
    (from, to) => Promise.all(view.lines.slice(from, to).map(atRow)));
  const outage = I.incidents[I.gravest];
  const slider = $('at'), typed = $('at-text');
  slider.max = I.end;
  slider.addEventListener('input', () => moveTo(Number(slider.value)));
  typed.addEventListener('change', () => {
    const ms = parseTime(typed.value);
    typed.setAttribute('aria-invalid', ms === null);
    if (ms !== null) moveTo(ms);
  });
  whenFiltered(() => { if (atTable.seen) moveTo(at); });
  at = outage ? (outage[2] + (outage[3] ?? I.end)) / 2 : I.events.length ? I.events[0][0] + (I.end - I.events[0][0]) / 8 : I.end / 2;
  typed.value = stamp(at);
  slider.value = at;
  // All lanes are needed for it: nothing is unpacked before a reader comes near.
  new IntersectionObserver((entries, watcher) => {
    if (entries.some(entry => entry.isIntersecting)) { watcher.disconnect(); atTable.seen = true; moveTo(at); }
  }, {rootMargin: '300px'}).observe($('whereabouts'));
}
let moving = 0;
async function moveTo(ms) {
  const turn = ++moving;
  at = ms;
  $('at').value = ms;
  if (document.activeElement !== $('at-text')) $('at-text').value = stamp(ms);
  $('at').setAttribute('aria-valuetext', stamp(ms));
  const lanes = await Promise.all(view.lines.map(line => lane(line) || laneOf(line)));
  if (turn !== moving) return;
  const counts = new Map();
  for (const content of lanes) {
    const [server, state] = stateAt(content, ms);
    if (!counts.has(server)) counts.set(server, [0, 0, 0, 0]);
    counts.get(server)[state]++;
  }
  const rows = [...counts].sort(([a], [b]) => (a < 0) - (b < 0) || a - b).map(([server, each]) => row([
    server < 0 ? 'none' : named(server), ...each.map(number => cell('n', number ? grouped(number) : ''))]));
  $('at-servers').replaceChildren(scrolling('Lines by server then',
    table([['Works with'], ...STATES.map(words => [words, 'n'])], rows, 'small')));
  atTable.show(view.lines.length);
  $('whereabouts').classList.add('filled');
}
// [server, number of the state] of a line.
function stateAt(content, ms) {
  const stay = content.stays.find(([, since, until]) => since <= ms && ms < until)
    || content.stays.filter(([, since, until]) => since <= ms && ms <= until).at(-1);
  if (!stay) return [-1, 3];
  if (stay[3] !== null && ms >= stay[3]) return [stay[0], 2];
  return [stay[0], liveAt(content, ms).some(([server]) => server === stay[0]) ? 0 : 1];
}
const liveAt = (content, ms) => content.registrations.filter(([, from, until]) => from <= ms && (until < 0 || ms < until));

async function atRow(line) {
  const content = await laneOf(line), [server, state] = stateAt(content, at), live = liveAt(content, at);
  const call = content.calls.find(([from, up, until]) => (from < 0 ? up : from) <= at && (until < 0 || at < until));
  return row([
    cell('line', link(lineName(line), () => openLine(line))), cell('short', shortPlace(I.lines.phone[line])), server < 0 ? '–' : named(server), cell('short', STATES[state]),
    cell('wide', live.length ? live.map(([place, , until]) => `${serverName(place)} ${until < 0 ? 'no end' : stamp(until, false)}`).join(', ') : '–'),
    cell('wide', call ? callTold(...call) : '–'),
  ]);
}
