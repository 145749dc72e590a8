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
    on: {click: () => { location.hash = findingLink(all.id[view.findings[place + by]]); }}}, by < 0 ? '← Before' : 'Next →');
  const lines = [
    make('p', {}, severity(all.severity[finding]), ` ${confidence}`,
      all.time[finding] === null ? '' : make('span', {}, ' at ', make('span', {class: 'time'}, `${day(all.time[finding])} ${clock(all.time[finding])}`)),
      line < 0 ? ` ${about || ''}` : make('span', {}, ' on ', link(lineName(line), () => openLine(line)), `, phone ${shortPlace(I.lines.phone[line])}`),
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
  showSheet(make('span', {}, code(id), ' ', rule), [step(-1), step(1)], lines.filter(each => each !== null));
}

function factList(facts, basis) {
  const rows = Object.entries(facts).filter(([, fact]) => fact !== null);
  const shown = (name, fact) => (Array.isArray(fact) ? fact.join(' to ') : String(fact)) + (I.seconds.includes(name) && typeof fact !== 'string' ? ' s' : '');
  return make('dl', {}, ...rows.map(([name, fact]) => make('div', {}, make('dt', {}, name), make('dd', {}, shown(name, fact)))),
    basis.length ? make('div', {}, make('dt', {}, 'basis'), make('dd', {}, basis.join(', '))) : null);
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
    return row([cell('short', code(name)), given === null ? '–' : String(given), cell('short', origin), source === null ? '–' : code(source)]);
  });
  if (!rows.length) return make('p', {class: 'note'}, 'No setting of this line is declared: see “What could not be judged”.');
  return part('Settings in force', make('div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Settings'},
    table([['Setting'], ['Value'], ['Origin'], ['From']], rows)));
}

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
    several ? `${words} (${I.captures[capture]})` : words]))),
    proofs > evidence.length ? make('p', {class: 'note'}, `${proofs - evidence.length} more frames: see report.json.`) : null));
  const capture = I.captures[frames[0][0]];
  const known = frames.filter(each => each[1] !== null).map(each => each[1]);
  parts.push(part('In Wireshark',
    make('p', {class: 'note'}, `Display filter, in ${capture}:`),
    filterText ? paste(filterText) : null,
    hasFile ? make('p', {}, make('a', {href: `evidence/${id}.pcapng`}, `evidence/${id}.pcapng`), ' holds these frames.') : null,
    make('p', {class: 'note'}, 'In a terminal:'),
    paste(`sipaudit ladder ${I.captures.map(quoted).join(' ')} --finding ${id}`),
    known.length ? paste(`sipaudit inspect ${quoted(capture)} ${[...new Set(known)].join(' ')}`) : null));
  if (wire) parts.push(...rawPart(wire));
  else parts.push(make('p', {class: 'note'}, 'The messages of this finding are not in this page (--embed names how many findings bring theirs): the filter, the file and the commands show them.'));
  return parts;
}
function rawPart({messages, dissections}) {
  const parts = [];
  if (messages.length) {
    parts.push(part('Messages', ...messages.map(([capture, frame, ms, transport, source, destination, words], number) =>
      make('details', {open: number === messages.length - 1 && messages.length < 9},
        make('summary', {}, `#${frame} ${stamp(ms)} ${shortPlace(source)} → ${shortPlace(destination)} ${transport}: ${words.split('\n')[0].slice(0, 90)}`),
        make('pre', {}, words)))));
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
  return make('div', {class: 'ladder', tabindex: '0', role: 'region', 'aria-label': 'Ladder'}, picture);
}
const clip = (words, most) => words.length > most ? words.slice(0, most - 1) + '…' : words;
// An address of the ladder: the server's name where it is one.
function nameOf(place) {
  const server = I.servers.findIndex(([key]) => key.split('/')[0] === place);
  return clip(server < 0 ? shortPlace(place) : serverName(server), 34);
}
