// Requests, answers and delays of one server, or of all.

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
const UNANSWERED = '#7a6a5d';  // to be seen on a light ground and on a dark one
const sum = lists => lists[0].map((_, position) => lists.reduce((total, list) => total + (list[position] || 0), 0));

// The columns of several servers on one row of times.
function together(servers) {
  const times = [...new Set(servers.flatMap(server => data.rates.servers[server].times))].sort((a, b) => a - b);
  const place = new Map(times.map((ms, number) => [ms, number]));
  const of = (server, pick, none = 0) => {
    const from = data.rates.servers[server], list = pick(from) || [], row = new Array(times.length).fill(none);
    from.times.forEach((ms, number) => { row[place.get(ms)] = list[number] ?? none; });
    return row;
  };
  return {times, of};
}
function drawRates() {
  const chosen = $('rates-server').value, all = Object.keys(data.rates.servers).map(Number);
  const servers = chosen === '' ? all : [Number(chosen)];
  const missing = 'No SIP request was counted.';
  const half = data.rates.minutes * 30_000;  // a bar stands over the minute that it counts
  const joined = together(servers), middles = joined.times.map(ms => ms + half), x = when(middles), shapes = marks(chosen === '' ? null : Number(chosen));
  const names = kind => [...new Set(servers.flatMap(server => Object.keys(data.rates.servers[server][kind])))].sort();
  const total = pick => sum(servers.map(server => joined.of(server, pick)));
  const within = when(middles.map(ms => Math.min(Math.max(ms, 0), I.end)));  // a minute may begin before the captures, and end after them
  const bar = (name, y, fill) => ({x, y, width: 1.6 * half, name: escaped(name), type: 'bar', marker: fill ? {color: fill} : {}, hovertemplate: '%{y}'});
  const stroke = (name, y, fill, extra = {}) => ({x: within, y, name: escaped(name), type: 'scatter', mode: x.length < 40 ? 'lines+markers' : 'lines', cliponaxis: false, line: {color: fill, width: 1.6, ...extra}, hovertemplate: '%{y}'});
  const asked = server => sum(Object.keys(data.rates.servers[server].requests).map(method => joined.of(server, from => from.requests[method])));
  const requests = chosen === '' ? servers.map(server => bar(serverName(server), asked(server), colour(server)))
    : names('requests').map((method, number) => bar(method, total(from => from.requests[method]), COLOURS[number]));
  const one = () => plot('p-requests', requests, {barmode: 'stack', shapes, missing});
  const answers = names('answers').map(code => bar(code, total(from => from.answers[code]), CLASSES[code] || '#9aa3ad'));
  const two = () => plot('p-answers', [...answers, bar('no answer', total(from => from.unanswered), UNANSWERED)], {barmode: 'stack', shapes, missing});
  const delays = (server, pick) => joined.of(server, pick, null).map(seconds => seconds === null ? null : Math.round(seconds * 1e4) / 10);
  const timed = servers.flatMap(server => [...delays(server, from => from.p50), ...delays(server, from => from.max)]).filter(ms => ms > 0);
  const wide = timed.length && Math.max(...timed) > 20 * Math.min(...timed);
  const three = () => plot('p-delays', servers.flatMap(server => [
    stroke(`${serverName(server)}, median`, delays(server, from => from.p50), colour(server)),
    stroke(`${serverName(server)}, longest`, delays(server, from => from.max), colour(server), {dash: 'dot', width: 1}),
  ]), {shapes, yaxis: wide ? {title: {text: 'ms'}, type: 'log', rangemode: 'normal', dtick: 1, exponentformat: 'none'} : {title: {text: 'ms'}}, missing: 'No answer was timed.'});
  const failed = server => {
    const bad = sum([joined.of(server, from => from.unanswered), joined.of(server, from => from.answers['5xx'])]);
    return asked(server).map((number, position) => number ? Math.round(bad[position] / number * 1000) / 10 : null);
  };
  const four = () => plot('p-failures', servers.flatMap(server => [
    bar(`REGISTER ${serverName(server)}`, joined.of(server, from => from.requests.REGISTER), colour(server)),
    {...stroke(`failed ${serverName(server)}`, failed(server), '#c9433a', {dash: servers.length > 1 ? ['solid', 'dot', 'dash', 'dashdot'][servers.indexOf(server) % 4] : 'solid'}), yaxis: 'y2', hovertemplate: '%{y} %'},
  ]), {barmode: 'stack', shapes, yaxis2: {overlaying: 'y', side: 'right', rangemode: 'tozero', showgrid: false, fixedrange: true, range: [0, 104], tickmode: 'array', tickvals: [0, 50, 100], ticktext: ['0 %', '50 %', '100 %']}, missing});
  return [one, two, three, four];
}
