// The pictures, drawn by plotly, which is unpacked only when the page is otherwise ready.
const QUIET = {displayModeBar: false, responsive: true};
let data = null;

async function drawPictures() {
  const [pictures, library] = await Promise.all([value('pictures'), text('plotly')]);
  document.head.append(make('script', {}, library));  // the policy knows it by its hash
  data = pictures;
  for (const draw of [drawServers, drawRecovery, ...setUpRates()]) {
    draw();
    await breath();  // each takes a moment, in which nobody could do anything
  }
  document.documentElement.dataset.drawn = String(Math.round(performance.now()));
}
const CLOCKS = [{dtickrange: [null, 999], value: '%H:%M:%S.%L'}, {dtickrange: [1000, 59999], value: '%H:%M:%S'}, {dtickrange: [60000, null], value: '%H:%M'}];
const DAYS = [...CLOCKS.map(each => ({...each, value: each.value + '\n%Y-%m-%d'})).slice(0, 2), {dtickrange: [60000, 86399999], value: '%H:%M\n%Y-%m-%d'},
  {dtickrange: [86400000, null], value: '%Y-%m-%d'}];  // plotly shows the second line where it is another than before
const edge = ms => {
  const date = new Date(wall(ms));
  return isNaN(date) ? null : date.toISOString().slice(0, 23);  // a broken clock shows times that no calendar has
};
const when = times => times.map(edge);
// Pictures over time all show the same span, which is that of the lanes: what happened at once stands at one place.
function overTime() {
  const range = [edge(0), edge(I.end)];
  return {type: 'date', tickformatstops: severalDays() ? DAYS : CLOCKS, ...(I.end > 0 && range.every(Boolean) ? {range} : {})};
}

// Outages shaded, known events as lines, in every picture over time: behind bars and lines, above what fills it.
function marks(server = null, layer = 'below') {
  const shapes = I.incidents.slice(0, I.bands).filter(([, at]) => at >= 0 && (server === null || at === server)).map(([, , start, end]) => ({
    type: 'rect', xref: 'x', yref: 'paper', x0: edge(start), x1: edge(end ?? I.end), y0: 0, y1: 1, line: layer === 'below' ? {width: 0} : {width: 1, color: '#b3261e'},
    fillcolor: 'rgba(214, 69, 58, 0.16)', layer}));
  const lines = I.events.slice(0, 60).map(([ms]) => ({type: 'line', xref: 'x', yref: 'paper', x0: edge(ms), x1: edge(ms), y0: 0, y1: 1,
    line: {width: 1.5, dash: 'dash', color: '#8a8f98'}}));
  return [...shapes, ...lines];
}
const eventWords = () => I.events.slice(0, 12).map(([ms, words], number) => ({x: edge(ms), y: 1, yref: 'paper', xanchor: 'left', yanchor: 'bottom',
  text: escaped(clip(words, 30)), showarrow: false, yshift: 13 * (number % 2), xshift: -2, font: {size: 11}}));
// plotly reads a little markup in its texts: what could begin any is spelt out.
const escaped = words => words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('%', '&#37;');

function plot(id, traces, layout = {}) {
  const host = $(id);
  if (!traces.some(trace => trace.y.some(each => each))) {
    host.classList.add('none');
    host.replaceChildren(layout.missing || 'Nothing of it in this report.');
    return;
  }
  host.replaceChildren();
  const base = {margin: {l: 46, r: 40, t: 8, b: 38}, paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)', hovermode: 'x unified',
    showlegend: true, legend: {orientation: 'h', y: severalDays() ? -0.34 : -0.2, x: 0}, font: {size: 12},
    xaxis: {showgrid: false, tickangle: 0, nticks: Math.max(2, Math.floor((host.clientWidth - 86) / 84)), ticks: 'outside', ticklen: 8, tickcolor: 'rgba(0,0,0,0)', ...overTime()},  // words below those of the other axis
    yaxis: {rangemode: 'tozero', fixedrange: true, zeroline: false}};
  const {missing, ...given} = layout;
  for (const key of Object.keys(given)) base[key] = typeof given[key] === 'object' && !Array.isArray(given[key]) ? {...base[key], ...given[key]} : given[key];
  globalThis.Plotly.newPlot(host, traces, base, QUIET);
}

// Paper has its own width, and nothing tells plotly of it: an A4 page has room for one wide picture, or two.
const PAPER = {wide: 655, half: 308};
function fitPictures(onPaper) {
  for (const host of document.querySelectorAll('.plot.js-plotly-plot')) {
    const width = host.classList.contains('tall') ? PAPER.wide : PAPER.half;
    globalThis.Plotly.relayout(host, onPaper ? {autosize: false, width, height: 205} : {autosize: true, width: null, height: null});
  }
}

function drawServers() {
  const {times, series, moving} = data.servers, x = when(times);
  const area = (name, y, fill, extra = {}) => ({x, y, name: escaped(name), type: 'scatter', mode: 'lines', stackgroup: 'lines',
    line: {width: 0, shape: 'hv', color: fill}, fillcolor: fill, hovertemplate: '%{y}', ...extra});
  const traces = series.map(([server, y]) => area(server < 0 ? 'other servers' : serverName(server), y, colour(server)));
  if (moving) traces.push(area('looking for another', moving, '#c9433a'));
  plot('p-servers', traces, {shapes: marks(null, 'above'), annotations: eventWords(), margin: {t: I.events.length ? 32 : 8},  // the words make no room for themselves
    yaxis: {title: {text: 'lines'}}});
}

function drawRecovery() {
  const {width: step, count, detected, recovered} = data.recovery;
  const bars = (name, y, fill) => ({x: y.map((_, number) => (number + 0.5) * step), y, name, type: 'bar', marker: {color: fill}, hovertemplate: '%{y}'});
  if (count) $('c-recovery').textContent = `How long ${counted(count, 'failover')} took, in seconds from the first packet without answer`;
  plot('p-recovery', [bars('until it asked another server', detected, '#d58a1c'), bars('until it worked again', recovered, '#2f74b5')],
    {barmode: 'group', bargap: 0.1, xaxis: {type: 'linear', range: null, rangemode: 'tozero', tickformatstops: []}, yaxis: {title: {text: 'failovers'}}, missing: 'No failover was seen.'});
}
