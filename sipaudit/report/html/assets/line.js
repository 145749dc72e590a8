// A line opened: everything the report holds of it.
async function openLine(line) {
  const content = await laneOf(line), all = I.lines;
  const findings = findingsOf(line);
  const facts = [['phone', shortPlace(all.phone[line])], ['group', all.groups[all.group[line]]], ['entry', all.entries[all.entry[line]]],
    ['model, regime, mode', all.kinds[all.kind[line]]], ['firmware', content.firmware], ['works with', all.working[line] < 0 ? null : serverName(all.working[line])],
    ['contact', content.contact], ['MAC', content.mac], ['User-Agent', content.agent], ['calls', all.calls[line]],
    ['seen', `${stamp(content.seen[0])} to ${stamp(content.seen[1])}`]];
  const lines = [
    make('dl', {}, ...facts.filter(([, given]) => given !== null && given !== undefined).map(([name, given]) => fact(name, String(given)))),
    findings.length ? part('Findings', table([['Id'], ['Severity'], ['Time'], ['Rule']], findings.slice(0, 200).map(finding => row([
      make('a', {href: findingLink(I.findings.id[finding])}, I.findings.id[finding]), severity(I.findings.severity[finding]),
      I.findings.time[finding] === null ? '–' : stamp(I.findings.time[finding]), code(I.rules[I.findings.rule[finding]])])))) : null,
    listing('Moves', [['Time'], ['Kind'], ['From'], ['To'], ['Cause']], content.moves.map(([time, kind, from, to, cause]) =>
      row([stamp(time), kind, named(from), named(to), cause]))),
    listing('Tries', [['Time'], ['Server'], ['By'], ['Result']], content.tries.map(([time, server, method, result]) =>
      row([stamp(time), named(server), method, result]))),
    listing('Registrations', [['From'], ['Until'], ['Server'], ['Expires', 'n'], ['Renewed', 'n'], ['End']], content.registrations.map(
      ([server, from, until, expires, refreshes, end]) => row([stamp(from), until < 0 ? 'no end' : stamp(until), named(server),
        cell('n', expires === null ? '–' : `${expires} s`), cell('n', String(refreshes)), end || 'lives']))),
    listing('Calls', [['From'], ['Answered'], ['Until'], ['Server'], ['Servers tried', 'n']], content.calls.map(([from, up, until, server, tries]) =>
      row([from < 0 ? 'before the capture' : stamp(from), up < 0 ? 'no' : stamp(up), until < 0 ? 'goes on' : stamp(until), named(server), cell('n', String(tries))]))),
    content.open.length ? part('Not judged', table([['Rule'], ['Why'], ['Times', 'n']], content.open.map(([rule, reason, count]) =>
      row([code(rule), code(reason), cell('n', String(count))]))),
      content.declare.length ? make('p', {}, `To judge more, declare: ${content.declare.join(', ')}.`) : null) : null,
    settingList(line, null),
  ];
  showSheet(all.label[line] ? `${all.label[line]} (${shortLine(all.line[line])})` : shortLine(all.line[line]),
    [make('button', {type: 'button', on: {click: () => only(line)}}, 'Show its lane alone')], lines);
}
const listing = (words, heads, rows) => rows.length
  ? part(words, scrolling(words, table(heads, rows.slice(-200)))) : null;

function only(line) {
  sheet.close();
  $('filters').reset();
  $('filters').elements.text.value = I.lines.line[line];
  filter();
  $('lanes').scrollIntoView();
}
