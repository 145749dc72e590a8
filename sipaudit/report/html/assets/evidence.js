// The proof of a finding: frames, filter, commands, ladder, messages, dissection.
const quoted = words => /^[\w@%+=:,./-]+$/.test(words) ? words : `'${words.replaceAll("'", "'\\''")}'`;

function evidencePart(id, finding, evidence, proofs, filterText, hasFile, wire) {
  const frames = evidence.filter(each => typeof each[0] === 'number'), places = evidence.filter(each => typeof each[0] === 'string');
  const parts = [];
  if (places.length) {
    parts.push(part('Where it stands', table([['File'], ['Statement'], ['']], places.map(([file, line, attribute, words]) =>
      row([code(`${file}:${line}`), code(attribute), words])))));
  }
  if (!frames.length) return parts;
  const base = I.findings.time[finding] ?? 0, several = new Set(frames.map(each => each[0])).size > 1;
  const told = new Set(frames.filter(each => each[2] === 0).map(each => `${each[0]} ${each[1]}`));
  if (wire && wire.messages.length) parts.push(part('On the wire', ladder(wire.messages, told)));
  parts.push(part('Evidence', table([['Frame', 'n'], ['Time'], ['What']], frames.map(([capture, frame, since, words, pieces]) => row([
    cell('n', frame === null ? '–' : `#${(pieces || [frame]).join(' #')}`), cell('short time', stamp(base + since)),
    several ? `${words} (${I.captures[capture]})` : words])), 'small'),
    proofs > evidence.length ? make('p', {class: 'note'}, `${proofs - evidence.length} more frames: see report.json.`) : null));
  const numbers = framesByCapture(frames);
  const main = (frames.find(each => each[2] === 0) || frames.at(-1))[0];  // where the packet is that the finding is told by
  parts.push(part('In Wireshark',
    ...[...numbers].flatMap(([capture, known]) => [make('p', {class: 'note'}, `Display filter, in ${I.captures[capture]}:`),
      paste(capture === main && filterText ? filterText : `frame.number in {${known.join(', ')}}`)]),
    hasFile ? make('p', {}, make('a', {href: `evidence/${id}.pcapng`}, `evidence/${id}.pcapng`), ' holds these frames.') : null,
    make('p', {class: 'note'}, 'In a terminal, the first with the --site, --config and --set of this run:'),
    paste(`sipaudit ladder ${I.captures.map(quoted).join(' ')} --finding ${id}`),
    ...[...numbers].map(([capture, known]) => paste(`sipaudit inspect ${quoted(I.captures[capture])} ${known.join(' ')}`))));
  if (wire) parts.push(...rawPart(wire, told));
  else parts.push(make('p', {class: 'note'}, 'The messages of this finding are not in this page (--embed names how many findings bring theirs): the filter, the file and the commands show them.'));
  return parts;
}
// The frames of each capture, those that make up one message included.
function framesByCapture(frames) {
  const found = new Map();
  for (const [capture, frame, , , pieces] of frames) {
    if (frame !== null) found.set(capture, [...new Set([...(found.get(capture) || []), ...(pieces || []), frame])].sort((a, b) => a - b));
  }
  return found;
}
function rawPart({messages, dissections}, told) {
  const first = messages.findIndex(([capture, frame]) => told.has(`${capture} ${frame}`));
  const parts = [];
  if (messages.length) {
    parts.push(part('Messages', ...messages.map(([capture, frame, ms, transport, source, destination, words], number) =>
      make('details', {open: number === first},
        make('summary', {}, `#${frame} ${stamp(ms)} ${shortPlace(source)} → ${shortPlace(destination)} ${transport}: ${words.split('\n')[0].slice(0, 90)}`),
        make('pre', {}, words.trimEnd())))));
  }
  if (dissections.length) {
    parts.push(part('As Wireshark reads it', ...dissections.map(([, frame, layers, experts]) =>
      make('details', {}, make('summary', {}, `Frame ${frame}${experts.length ? ', with remarks' : ''}`),
        ...experts.map(words => make('p', {class: 'note'}, words)),
        ...layers.map(([name, fields]) => make('details', {class: 'layer'}, make('summary', {}, name), make('pre', {}, fields.join('\n'))))))));
  }
  return parts;
}

// The ladder of some messages as a picture: one column an address, one arrow a message; `told` are those that the
// finding is told by.
function ladder(messages, told) {
  const places = [...new Set(messages.flatMap(each => [each[4], each[5]]))].slice(0, 8);
  const start = 205, step = 34, room = Math.min(820, innerWidth) - 50 - start - 75;
  const gap = Math.max(150, Math.min(330, room / Math.max(places.length - 1, 1)));
  const wide = start + gap * Math.max(places.length - 1, 1) + 75, high = 44 + messages.length * step;
  const at = place => start + gap * Math.max(places.indexOf(place), 0);
  const picture = draw('svg', {width: wide, height: high, viewBox: `0 0 ${wide} ${high}`, role: 'img',
    'aria-label': `Ladder of ${counted(messages.length, 'message')}; the list below has the same`});
  for (const place of places) {
    picture.append(draw('text', {x: at(place), y: 18, 'text-anchor': 'middle'}, nameOf(place)),
      draw('line', {class: 'rail', x1: at(place), x2: at(place), y1: 26, y2: high - 6}));
  }
  messages.forEach(([capture, frame, ms, , source, destination, words], number) => {
    const y = 52 + number * step, [from, to] = [at(source), at(destination)], ahead = to >= from ? 1 : -1;
    const first = words.split('\n')[0], label = first.startsWith('SIP/2.0 ') ? first.slice(8) : first.split(' ')[0];
    const same = from === to, end = same ? from + 60 : to;
    picture.append(draw('g', {class: told.has(`${capture} ${frame}`) ? 'told' : ''},
      draw('text', {class: 'dim', x: 4, y: y + 4}, `${clock(ms)}  #${frame}`),
      draw('text', {x: (from + end) / 2, y: y - 6, 'text-anchor': 'middle'}, clip(label, 34)),
      draw('path', {class: 'arrow', d: `M${from} ${y}H${end - ahead * 7}`}),
      draw('path', {class: 'head', d: `M${end} ${y}l${-8 * ahead} -4v8z`})));
  });
  return scrolling('Ladder', picture, 'ladder');
}
const clip = (words, most) => words.length > most ? words.slice(0, most - 1) + '…' : words;
// An address of the ladder: the server's name where it is one.
function nameOf(place) {
  const server = I.servers.findIndex(([key]) => key.split('/')[0] === place);
  return clip(server < 0 ? shortPlace(place) : serverName(server), 34);
}
