// Swimlanes: one canvas as large as the box, on which only the lanes in sight are drawn.
const LANE = 30, AXIS = 26, PRINTED = 30, PAPER_WIDTH = 684;
const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5, 36e5,
  72e5, 216e5, 432e5, 864e5, 1728e5, 6048e5, 6048e5 * 4, 31536e6];
const sight = {from: 0, to: 1, chosen: 0, printing: false};
let box, room, canvas, brush, drawing = false;
let width = 0, height = 0, left = 190;

const x = ms => left + (ms - sight.from) / (sight.to - sight.from) * (width - left);
const timeAt = px => sight.from + (px - left) / (width - left) * (sight.to - sight.from);
const laneTop = position => AXIS + position * LANE - (sight.printing ? 0 : box.scrollTop);
const positionAt = y => Math.floor((y - AXIS + box.scrollTop) / LANE);

function setUpLanes() {
  box = $('lane-box'); room = $('lane-room'); canvas = $('lane-canvas'); brush = canvas.getContext('2d');
  sight.to = Math.max(I.end, 1);
  lookAt(0, I.end);
  box.addEventListener('scroll', redraw, {passive: true});
  new ResizeObserver(measure).observe(box);
  setUpPointer();
  box.addEventListener('keydown', laneKey);
  for (const [id, run] of [['zoom-in', () => zoom(0.5)], ['zoom-out', () => zoom(2)], ['pan-left', () => pan(-0.25)],
    ['pan-right', () => pan(0.25)], ['zoom-all', () => lookAt(0, I.end)]]) $(id).addEventListener('click', run);
  whenFiltered(() => { sight.chosen = 0; box.scrollTop = 0; measure(); });
  laneLegend();
}

const density = () => sight.printing ? 2 : window.devicePixelRatio || 1;
function measure() {
  width = sight.printing ? PAPER_WIDTH : box.clientWidth;
  left = Math.min(190, Math.round(width * 0.3));
  const all = AXIS + view.lines.length * LANE;
  box.style.height = sight.printing ? 'auto' : `${Math.min(520, Math.max(all + 8, 120))}px`;
  height = sight.printing ? AXIS + Math.min(view.lines.length, PRINTED) * LANE : box.clientHeight;
  room.style.height = `${Math.max(all, height)}px`;
  const dense = density();
  canvas.width = Math.max(1, width * dense); canvas.height = Math.max(1, height * dense);
  canvas.style.width = width + 'px'; canvas.style.height = height + 'px';
  paint();
}
function redraw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => { drawing = false; paint(); });
}

// Which part of the time is shown; never less than 20 ms, never outside of the capture by much.
function lookAt(from, to) {
  const margin = Math.max(I.end * 0.01, 1), span = Math.min(Math.max(to - from, 20), I.end + 2 * margin);
  const centre = (from + to) / 2;
  sight.from = Math.min(Math.max(centre - span / 2, -margin), I.end + margin - span);
  sight.to = sight.from + span;
  $('shown-span').textContent = `${stamp(Math.max(sight.from, 0), span < 6e5)} to ${stamp(Math.min(sight.to, I.end), span < 6e5)}`;
  redraw();
}
function zoom(factor, at = (sight.from + sight.to) / 2) {
  lookAt(at - (at - sight.from) * factor, at + (sight.to - at) * factor);
}
function pan(share) {
  const by = (sight.to - sight.from) * share;
  lookAt(sight.from + by, sight.to + by);
}

// -- drawing

function paint() {
  if (!width) return;
  const dense = density();
  const ink = {};
  for (const name of ['ink', 'soft', 'line', 'grid', 'card', 'error', 'warning', 'info', 'band', 'accent', 'paper']) {
    ink[name] = style('--' + name);
  }
  brush.setTransform(dense, 0, 0, dense, 0, 0);
  brush.fillStyle = ink.card;
  brush.fillRect(0, 0, width, height);
  brush.font = '12px system-ui, "DejaVu Sans", sans-serif';
  brush.textBaseline = 'middle';
  const first = sight.printing ? 0 : Math.max(0, positionAt(AXIS));
  const last = Math.min(view.lines.length - 1, sight.printing ? PRINTED - 1 : positionAt(height));
  clipped(left, AXIS, width - left, height - AXIS, () => paintBands(ink));
  for (let position = first; position <= last; position++) paintLane(position, ink);
  brush.fillStyle = ink.card;
  brush.fillRect(0, 0, width, AXIS);
  paintAxis(ink);
  if (!view.lines.length) {
    brush.fillStyle = ink.soft;
    brush.fillText('No line fits these filters.', 12, AXIS + 18);
  }
}
function clipped(atX, atY, wide, high, run) {
  brush.save();
  brush.beginPath();
  brush.rect(atX, atY, wide, high);
  brush.clip();
  run();
  brush.restore();
}
function paintBands(ink) {
  brush.fillStyle = ink.band;
  for (const [, server, start, end] of I.incidents.slice(0, I.bands)) {
    if (server >= 0) brush.fillRect(x(start), AXIS, Math.max(x(end ?? I.end) - x(start), 1), height);
  }
  brush.strokeStyle = ink.ink;
  brush.setLineDash([4, 4]);
  for (const [time] of I.events) stroke(x(time), AXIS, x(time), height);
  brush.setLineDash([]);
}
function stroke(x1, y1, x2, y2) {
  brush.beginPath();
  brush.moveTo(Math.round(x1) + 0.5, y1);
  brush.lineTo(Math.round(x2) + 0.5, y2);
  brush.stroke();
}

function paintAxis(ink) {
  const room = Math.max((width - left) / 96, 2);
  const step = STEPS.find(each => (sight.to - sight.from) / each <= room) || STEPS.at(-1);
  brush.strokeStyle = ink.line;
  stroke(0, AXIS - 1, width, AXIS - 1);
  brush.fillStyle = ink.soft;
  const shift = I.start + offset(sight.from);
  for (let at = Math.ceil((sight.from + shift) / step) * step - shift; at <= sight.to; at += step) {
    stroke(x(at), AXIS - 6, x(at), AXIS);
    const words = step >= 864e5 ? day(at).slice(5) : step < 1000 ? clock(at) : step < 6e4 ? clock(at, false)
      : clock(at, false).slice(0, 5);
    const wide = brush.measureText(words).width;
    if (x(at) - wide / 2 > 4 && x(at) + wide / 2 < width) brush.fillText(words, x(at) - wide / 2, 11);
  }
}

function paintLane(position, ink) {
  const line = view.lines[position], top = laneTop(position), content = lane(line);
  if (position === sight.chosen && document.activeElement === box) {
    brush.fillStyle = ink.grid;
    brush.fillRect(0, top, width, LANE);
  }
  brush.strokeStyle = ink.grid;
  brush.beginPath(); brush.moveTo(0, top + LANE - 0.5); brush.lineTo(width, top + LANE - 0.5); brush.stroke();
  paintLabel(line, top, ink);
  if (!content) {
    wantLane(line).then(redraw);
    return;
  }
  clipped(left, Math.max(top, AXIS), width - left, LANE, () => {
    paintStays(content, top, ink);
    paintCalls(content, top, ink);
    paintFindings(line, top, ink);
  });
}
function paintLabel(line, top, ink) {
  const counts = I.lines.severities[line];
  const worst = counts[2] ? 2 : counts[1] ? 1 : counts[0] ? 0 : -1;
  clipped(0, Math.max(top, AXIS), left - 6, LANE, () => {
    if (worst >= 0) paintMark(12, top + 15, worst, ink, false);
    brush.fillStyle = ink.ink;
    brush.fillText(lineName(line).slice(0, 60), 24, top + 15);
  });
}
// Full colour: registered at the working server. Pale: it works there, no registration is known. Hatched: it looks for
// another server.
function paintStays(content, top, ink) {
  for (const [server, since, until, leaving] of content.stays) {
    const stays = leaving ?? until;
    if (until < sight.from || since > sight.to) continue;
    block(since, stays, top + 10, 9, colour(server), 0.28);
    for (const [at, from, to] of content.registrations) {
      const open = to < 0 ? I.end : to;
      if (at === server && open > since && from < stays) {
        block(Math.max(from, since), Math.min(open, stays, I.end), top + 10, 9, colour(server), 1);
      }
    }
    if (leaving !== null && leaving < until) hatch(leaving, until, top + 10, 9, ink);
  }
  brush.strokeStyle = ink.ink;
  for (const [time] of content.moves) {
    if (time >= sight.from && time <= sight.to) stroke(x(time), top + 7, x(time), top + 22);
  }
}
function block(from, to, top, high, fill, alpha) {
  const start = Math.max(x(from), left - 2), end = Math.min(x(to), width + 2);
  if (end < left || start > width) return;
  brush.globalAlpha = alpha;
  brush.fillStyle = fill;
  brush.fillRect(start, top, Math.max(end - start, 1), high);
  brush.globalAlpha = 1;
}
function hatch(from, to, top, high, ink) {
  const start = Math.max(x(from), left), end = Math.min(Math.max(x(to), x(from) + 2), width);
  if (end <= start) return;
  brush.save();
  brush.beginPath();
  brush.rect(start, top, end - start, high);
  brush.clip();
  brush.strokeStyle = ink.error;
  brush.strokeRect(start + 0.5, top + 0.5, end - start - 1, high - 1);
  brush.beginPath();
  for (let at = start - high; at < end; at += 5) {
    brush.moveTo(at, top + high);
    brush.lineTo(at + high, top);
  }
  brush.stroke();
  brush.restore();
}
// A call: pale while it rings, full from its answer on.
function paintCalls(content, top, ink) {
  for (const [from, up, until, server] of content.calls) {
    const begin = from < 0 ? up : from, end = until < 0 ? I.end : until;
    if (end < sight.from || begin > sight.to) continue;
    block(begin, up < 0 ? end : up, top + 22, 4, ink.soft, 0.45);
    if (up >= 0) block(up, end, top + 22, 4, ink.ink, 1);
  }
}
function paintFindings(line, top, ink) {
  for (const finding of findingsOf(line)) {
    const time = I.findings.time[finding];
    if (time === null || time < sight.from || time > sight.to) continue;
    paintMark(x(time), top + 6, I.findings.severity[finding], ink, I.findings.suppressed[finding]);
  }
}
// The severity by shape and by colour: triangle, diamond, circle; hollow when suppressed.
function paintMark(atX, atY, rank, ink, hollow) {
  brush.beginPath();
  if (rank === 2) { brush.moveTo(atX, atY - 5); brush.lineTo(atX + 5.5, atY + 4); brush.lineTo(atX - 5.5, atY + 4); }
  else if (rank === 1) { brush.moveTo(atX, atY - 5); brush.lineTo(atX + 5, atY); brush.lineTo(atX, atY + 5); brush.lineTo(atX - 5, atY); }
  else brush.arc(atX, atY, 4, 0, 7);
  brush.closePath();
  brush.fillStyle = hollow ? ink.card : ink[SEVERITIES[rank]];
  brush.strokeStyle = hollow ? ink[SEVERITIES[rank]] : ink.card;
  brush.fill();
  brush.stroke();
}

function laneLegend() {
  const legend = $('lane-legend');
  const item = (...content) => legend.append(make('span', {class: 'item'}, ...content), ' ');
  I.servers.slice(0, 12).forEach((_, server) => item(named(server)));
  item('full: registered there'); item('pale: no registration seen'); item('hatched: looking for another server');
  item('lower bar: call, pale while it rings'); item('▲ error ◆ warning ● info');
  legend.append(make('span', {class: 'item on-screen'}, 'Ctrl + wheel zooms, drag pans'));
}

// -- what a user does

function setUpPointer() {
  const fingers = new Map();
  let dragged = 0, apart = 0;
  const local = event => ({px: event.clientX - canvas.getBoundingClientRect().left, py: event.clientY - canvas.getBoundingClientRect().top});
  box.addEventListener('wheel', event => {
    const sideways = event.shiftKey ? event.deltaY : event.deltaX;
    if (event.ctrlKey || event.metaKey) zoom(event.deltaY > 0 ? 1.25 : 0.8, timeAt(local(event).px));
    else if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)) pan(sideways / width);
    else return;
    event.preventDefault();
  }, {passive: false});
  canvas.addEventListener('pointerdown', event => {
    fingers.set(event.pointerId, event);
    dragged = fingers.size > 1 ? 99 : 0;
    apart = 0;
  });
  canvas.addEventListener('pointermove', event => {
    if (!fingers.has(event.pointerId)) return hover(local(event), event);
    const before = fingers.get(event.pointerId), by = event.clientX - before.clientX;
    fingers.set(event.pointerId, event);
    if (fingers.size === 2) {
      const [one, two] = [...fingers.values()], now = Math.abs(one.clientX - two.clientX);
      if (apart > 10 && now > 10) zoom(apart / now, timeAt((local(one).px + local(two).px) / 2));
      apart = now;
      return;
    }
    dragged += Math.abs(by);
    if (dragged > 4) {
      canvas.setPointerCapture(event.pointerId);
      hideTip();
      pan(-by / (width - left));
    }
  });
  const lift = event => {
    const known = fingers.delete(event.pointerId);
    if (known && event.type === 'pointerup' && dragged <= 4) click(local(event));
  };
  canvas.addEventListener('pointerup', lift);
  canvas.addEventListener('pointercancel', lift);
  canvas.addEventListener('pointerleave', hideTip);
  box.addEventListener('focus', redraw);
  box.addEventListener('blur', redraw);
}

// What lies at a place of the canvas: the line, and the finding whose mark it is.
function hit({px, py}) {
  const position = py < AXIS ? -1 : positionAt(py);
  const line = view.lines[position];
  if (line === undefined) return null;
  const near = findingsOf(line).filter(finding => I.findings.time[finding] !== null && px >= left
    && Math.abs(x(I.findings.time[finding]) - px) <= 7 && py - laneTop(position) <= 15);
  return {position, line, finding: near.length ? near[0] : -1, findings: near, time: px < left ? null : timeAt(px)};
}
function click(place) {
  const found = hit(place);
  if (!found) return;
  sight.chosen = found.position;
  if (found.finding >= 0) location.hash = findingLink(I.findings.id[found.finding]);
  else openLine(found.line);
  redraw();
}
function hover(place, event) {
  const found = hit(place);
  if (!found) return hideTip();
  const tip = $('tip');
  tip.textContent = told(found);
  tip.hidden = false;
  const wide = tip.offsetWidth, high = tip.offsetHeight;
  tip.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - wide - 8)) + 'px';
  tip.style.top = (event.clientY + high + 24 > innerHeight ? event.clientY - high - 10 : event.clientY + 16) + 'px';
}
const hideTip = () => { $('tip').hidden = true; };

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
  for (const [at, , kind, from, to, cause] of content.moves) {
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

function laneKey(event) {
  if (event.target !== box || event.ctrlKey || event.metaKey || event.altKey) return;
  const steps = {ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -1e9, End: 1e9};
  const actions = {ArrowLeft: () => pan(-0.15), ArrowRight: () => pan(0.15), '+': () => zoom(0.6), '=': () => zoom(0.6),
    '-': () => zoom(1.6), 0: () => lookAt(0, I.end), Enter: () => view.lines.length && openLine(view.lines[sight.chosen])};
  if (event.key in steps) choose(sight.chosen + steps[event.key]);
  else if (event.key in actions) actions[event.key]();
  else return;
  event.preventDefault();
}
function choose(position) {
  sight.chosen = Math.max(0, Math.min(view.lines.length - 1, position));
  const top = sight.chosen * LANE;
  if (top < box.scrollTop) box.scrollTop = top;
  if (top + AXIS + LANE > box.scrollTop + height) box.scrollTop = top + AXIS + LANE - height;
  const line = view.lines[sight.chosen];
  if (line !== undefined) {
    $('lane-said').textContent = `${lineName(line)}, ${counted(findingsOf(line).length, 'finding')}, works with ${serverName(I.lines.working[line])}`;
  }
  redraw();
}
