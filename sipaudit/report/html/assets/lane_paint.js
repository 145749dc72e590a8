// Drawing the lanes: only those in sight.
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
  const step = STEPS.find(each => (sight.to - sight.from) / each <= room) || (sight.to - sight.from) / room;
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
  clipped(start, top, end - start, high, () => {
    brush.strokeStyle = ink.error;
    brush.strokeRect(start + 0.5, top + 0.5, end - start - 1, high - 1);
    brush.beginPath();
    for (let at = start - high; at < end; at += 5) {
      brush.moveTo(at, top + high);
      brush.lineTo(at + high, top);
    }
    brush.stroke();
  });
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
  const marks = new Map();  // by kind and pixel: many findings may lie on one
  for (const finding of findingsOf(line)) {
    const time = I.findings.time[finding], rank = I.findings.severity[finding], hollow = I.findings.suppressed[finding];
    if (time !== null && time >= sight.from && time <= sight.to) marks.set(`${rank} ${hollow} ${Math.round(x(time))}`, [x(time), rank, hollow]);
  }
  for (const [at, rank, hollow] of [...marks.values()].reverse()) paintMark(at, top + 6, rank, ink, hollow);  // the worst on top
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
