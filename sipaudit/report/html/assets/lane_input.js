// What a user does in the lanes: pointing, dragging, zooming, keys.
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
