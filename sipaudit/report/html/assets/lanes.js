// Swimlanes: one canvas as large as the box, and which lanes and which time it shows.
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
