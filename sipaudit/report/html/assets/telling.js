// What happened on a line at a moment, in words.
function told({line, time, findings, finding}) {
  const said = [`${lineName(line)}   ${shortPlace(I.lines.phone[line])}`];
  const content = lane(line);
  if (finding >= 0) {
    for (const each of findings.slice(0, 4)) said.push(`${stamp(I.findings.time[each])} ${I.findings.id[each]} ${SEVERITIES[I.findings.severity[each]]}: ${I.rules[I.findings.rule[each]]}`);
    if (findings.length > 4) said.push(`and ${findings.length - 4} more`);
  } else if (time !== null && content) {
    said.push(stamp(time), ...happening(content, time));
  } else if (time === null) {
    said.push(I.lines.kinds[I.lines.kind[line]] || '', `${counted(I.lines.moves[line], 'move')}, ${counted(I.lines.calls[line], 'call')}, ${counted(findingsOf(line).length, 'finding')}`);
  }
  return said.filter(Boolean).join('\n');
}
function happening(content, time) {
  const said = [], slack = (sight.to - sight.from) / (width - left) * 4;
  const stay = content.stays.find(([, since, until]) => since <= time && time <= until);
  if (!stay) said.push(time < content.seen[0] ? 'not seen yet' : 'nothing known of it');
  else if (stay[3] !== null && time >= stay[3]) said.push(`looking for another server than ${serverName(stay[0])}`);
  else said.push(`works with ${serverName(stay[0])}`);
  for (const [server, from, until, , , end] of content.registrations) {
    if (from <= time && (until < 0 || time <= until)) said.push(`registered at ${serverName(server)} until ${until < 0 ? 'no end' : stamp(until, false)}${end ? ' (' + end + ')' : ''}`);
  }
  for (const [at, kind, from, to, cause] of content.moves) {
    if (Math.abs(at - time) <= slack) said.push(`${stamp(at)} ${kind} ${serverName(from)} → ${serverName(to)} (${cause})`);
  }
  for (const [at, server, method, result] of content.tries) {
    if (Math.abs(at - time) <= slack) said.push(`${stamp(at)} try at ${serverName(server)} by ${method}: ${result}`);
  }
  for (const [from, up, until, server, tries] of content.calls) {
    const begin = from < 0 ? up : from;
    if (begin <= time && (until < 0 || time <= until)) said.push(callTold(from, up, until, server, tries));
  }
  return said;
}
function callTold(from, up, until, server, tries) {
  const begin = from < 0 ? 'from before the capture' : 'from ' + stamp(from);
  const talk = up < 0 ? 'not answered' : until < 0 ? 'up until the end' : `up for ${lasted(until - up)}`;
  return `call ${begin} at ${serverName(server)}, ${talk}${tries > 1 ? `, ${tries} servers tried` : ''}`;
}
