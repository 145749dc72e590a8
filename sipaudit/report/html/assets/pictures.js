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
const when = times => times.map(ms => new Date(wall(ms)).toISOString().slice(0, 23));
const edge = ms => new Date(wall(ms)).toISOString().slice(0, 23);

// Outages shaded, known events as lines: behind every picture over time.
function marks(server = null) {
  const shapes = I.incidents.slice(0, I.bands).filter(([, at]) => at >= 0 && (server === null || at === server)).map(([, , start, end]) => ({
    type: 'rect', xref: 'x', yref: 'paper', x0: edge(start), x1: edge(end ?? I.end), y0: 0, y1: 1, line: {width: 0},
    fillcolor: 'rgba(214, 69, 58, 0.16)', layer: 'below'}));
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
  const base = {margin: {l: 46, r: 10, t: 8, b: 30}, paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)', hovermode: 'x unified',
    showlegend: true, legend: {orientation: 'h', y: -0.16, x: 0}, font: {size: 12}, xaxis: {type: 'date', showgrid: false, ...(severalDays() ? {} : {tickformatstops: CLOCKS})},
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
  plot('p-servers', traces, {shapes: marks(), annotations: eventWords(), margin: {t: I.events.length ? 32 : 8}, yaxis: {title: {text: 'lines'}}});
}

function drawRecovery() {
  const {width: step, count, detected, recovered} = data.recovery;
  const bars = (name, y, fill) => ({x: y.map((_, number) => (number + 0.5) * step), y, name, type: 'bar', marker: {color: fill}, hovertemplate: '%{y}'});
  $('c-recovery').textContent = `How long ${counted(count, 'failover')} took, in seconds from the first packet without answer`;
  plot('p-recovery', [bars('until it asked another server', detected, '#d58a1c'), bars('until it worked again', recovered, '#2f74b5')],
    {barmode: 'group', bargap: 0.1, xaxis: {type: 'linear', rangemode: 'tozero', tickformatstops: []}, yaxis: {title: {text: 'failovers'}}, missing: 'No failover was seen.'});
}

// -- requests, answers and delays of one server, or of all

// Gives what is left to draw, a picture each.
function setUpRates() {
  const servers = Object.keys(data.rates.servers).map(Number), select = $('rates-server');
  if (!servers.length) {
    $('rates-of').hidden = true;
    for (const id of ['p-requests', 'p-answers', 'p-delays', 'p-failures']) $(id).parentElement.hidden = true;
    return [];
  }
  select.replaceChildren(make('option', {value: ''}, 'all servers'), ...servers.map(server => make('option', {value: server}, serverName(server))));
  select.addEventListener('change', () => drawRates().forEach(draw => draw()));
  const per = data.rates.minutes === 1 ? 'a minute' : `in ${data.rates.minutes} minutes`;
  $('c-requests').textContent = `Requests ${per}`;
  $('c-answers').textContent = `Answers by class ${per}`;
  $('c-failures').textContent = `REGISTERs ${per}, and the share of requests that failed`;
  return drawRates();
}
const CLASSES = {'1xx': '#9aa3ad', '2xx': '#27946f', '3xx': '#4fb0d6', '4xx': '#d5a01c', '5xx': '#c9433a', '6xx': '#a8569f'};
const sum = lists => lists[0].map((_, position) => lists.reduce((total, list) => total + (list[position] || 0), 0));

// The columns of several servers on one row of times.
function together(servers) {
  const times = [...new Set(servers.flatMap(server => data.rates.servers[server].times))].sort((a, b) => a - b);
  const place = new Map(times.map((ms, number) => [ms, number]));
  const spread = (from, list, none) => {
    const row = new Array(times.length).fill(none);
    from.times.forEach((ms, number) => { row[place.get(ms)] = list[number]; });
    return row;
  };
  return {times, of: (server, pick, none = 0) => { const from = data.rates.servers[server]; const list = pick(from); return list ? spread(from, list, none) : new Array(times.length).fill(none); }};
}
function drawRates() {
  const chosen = $('rates-server').value, all = Object.keys(data.rates.servers).map(Number);
  const servers = chosen === '' ? all : [Number(chosen)];
  const missing = 'No SIP request was counted.';
  const half = data.rates.minutes * 30_000;  // a bar stands over the minute that it counts
  const joined = together(servers), x = when(joined.times.map(ms => ms + half)), shapes = marks(chosen === '' ? null : Number(chosen));
  const names = kind => [...new Set(servers.flatMap(server => Object.keys(data.rates.servers[server][kind])))].sort();
  const total = pick => sum(servers.map(server => joined.of(server, pick)));
  const bar = (name, y, fill) => ({x, y, name: escaped(name), type: 'bar', marker: fill ? {color: fill} : {}, hovertemplate: '%{y}'});
  const stroke = (name, y, fill, extra = {}) => ({x, y, name: escaped(name), type: 'scatter', mode: x.length < 40 ? 'lines+markers' : 'lines', line: {color: fill, width: 1.6, ...extra}, hovertemplate: '%{y}'});
  const requests = chosen === '' ? servers.map(server => bar(serverName(server), sum(Object.keys(data.rates.servers[server].requests).map(method => joined.of(server, from => from.requests[method]))), colour(server)))
    : names('requests').map((method, number) => bar(method, total(from => from.requests[method]), COLOURS[number]));
  const one = () => plot('p-requests', requests, {barmode: 'stack', shapes, missing});
  const answers = names('answers').map(code => bar(code, total(from => from.answers[code]), CLASSES[code] || '#9aa3ad'));
  const two = () => plot('p-answers', [...answers, bar('no answer', total(from => from.unanswered), '#3b3f46')], {barmode: 'stack', shapes, missing});
  const delays = (server, pick) => joined.of(server, pick, null).map(seconds => seconds === null ? null : Math.round(seconds * 1e4) / 10);
  const timed = servers.flatMap(server => [...delays(server, from => from.p50), ...delays(server, from => from.max)]).filter(ms => ms > 0);
  const wide = timed.length && Math.max(...timed) > 20 * Math.min(...timed);
  const three = () => plot('p-delays', servers.flatMap(server => [
    stroke(`${serverName(server)}, median`, delays(server, from => from.p50), colour(server)),
    stroke(`${serverName(server)}, longest`, delays(server, from => from.max), colour(server), {dash: 'dot', width: 1}),
  ]), {shapes, yaxis: wide ? {title: {text: 'ms'}, type: 'log', rangemode: 'normal', dtick: 1, exponentformat: 'none'} : {title: {text: 'ms'}}, missing: 'No answer was timed.'});
  const failed = server => {
    const asked = sum([...Object.keys(data.rates.servers[server].requests).map(method => joined.of(server, from => from.requests[method]))]);
    const bad = sum([joined.of(server, from => from.unanswered), joined.of(server, from => from.answers['5xx'])]);
    return asked.map((number, position) => number ? Math.round(bad[position] / number * 1000) / 10 : null);
  };
  const four = () => plot('p-failures', servers.flatMap(server => [
    bar(`REGISTER ${serverName(server)}`, joined.of(server, from => from.requests.REGISTER), colour(server)),
    {...stroke(`failed ${serverName(server)}`, failed(server), '#c9433a', {dash: servers.length > 1 ? ['solid', 'dot', 'dash', 'dashdot'][servers.indexOf(server) % 4] : 'solid'}), yaxis: 'y2', hovertemplate: '%{y} %'},
  ]), {barmode: 'stack', shapes, margin: {l: 46, r: 46, t: 8, b: 30}, yaxis2: {overlaying: 'y', side: 'right', rangemode: 'tozero', showgrid: false, fixedrange: true, range: [0, 104], tickmode: 'array', tickvals: [0, 50, 100], ticktext: ['0 %', '50 %', '100 %']}, missing});
  return [one, two, three, four];
}
