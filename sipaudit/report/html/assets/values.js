// Words and times of the page. `I` is the index: what is unpacked as soon as the page is open.
const SEVERITIES = ['info', 'warning', 'error'];
const COLOURS = ['#2f74b5', '#d58a1c', '#27946f', '#a8569f', '#4fb0d6', '#8c6a3a', '#6f78d6', '#a9a12a', '#c86b85',
  '#4d8f8f', '#b07ad0', '#7f8c2f'];
let I = null;

const pad = (number, width = 2) => String(number).padStart(width, '0');
const grouped = number => number.toLocaleString('en');
const counted = (number, noun) => `${grouped(number)} ${noun}${number === 1 ? '' : 's'}`;
const colour = server => server < 0 ? '#8a8f98' : COLOURS[server % COLOURS.length];
const serverName = server => server < 0 ? 'none' : I.servers[server][1];
const findingLink = id => '#' + id;

// Offset from UTC in ms at a moment of the page's clock, in the zone that the report was made for.
function offset(ms) {
  let found = I.offsets[0][1];
  for (const [from, seconds] of I.offsets) {
    if (from <= ms) found = seconds;
  }
  return found * 1000;
}
// A moment as if its wall clock were UTC: what plotly and Date's UTC methods show.
const wall = ms => I.start + ms + offset(ms);

function clock(ms, fraction = true) {
  const date = new Date(wall(ms));
  if (isNaN(date)) return '@' + ((I.start + ms) / 1000).toFixed(3);
  const text = `${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}:${pad(date.getUTCSeconds())}`;
  return fraction ? `${text}.${pad(date.getUTCMilliseconds(), 3)}` : text;
}
function day(ms) {
  const date = new Date(wall(ms));
  return isNaN(date) ? '' : `${date.getUTCFullYear()}-${pad(date.getUTCMonth() + 1)}-${pad(date.getUTCDate())}`;
}
const severalDays = () => day(0) !== day(I.end);
const stamp = (ms, fraction = true) => (severalDays() ? day(ms) + ' ' : '') + clock(ms, fraction);

function lasted(ms) {
  if (ms < 60_000) return `${Number((ms / 1000).toPrecision(3))} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${pad(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${pad(Math.floor(seconds / 60) % 60)} min`;
}

// What a user typed as a time: "12:03", "12:03:04.5", with or without a date. null when it is none.
function parseTime(text) {
  const match = /^\s*(?:(\d{4}-\d{2}-\d{2})[T ])?(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?\s*$/.exec(text);
  if (!match) return null;
  const [, date, hours, minutes, seconds] = match;
  const days = date ? [date] : [...new Set([day(0), day(I.end)])];
  for (const each of days) {
    const asked = Date.parse(`${each}T00:00:00Z`) + ((+hours * 60 + +minutes) * 60 + +(seconds || 0)) * 1000;
    const ms = asked - offset(asked - I.start - I.offsets[0][1] * 1000) - I.start;
    if (ms >= -60_000 && ms <= I.end + 60_000) return Math.min(Math.max(ms, 0), I.end);
  }
  return null;
}

const shortLine = text => text.replace(/^sips?:/, '');
const lineUser = line => shortLine(I.lines.line[line]).slice(0, -commonDomain().length || undefined);
// The label of the site file tells who it is only where no other line has it.
let labelled = null;
function lineName(line) {
  if (line < 0) return '';
  labelled = labelled || I.lines.label.reduce((counts, label) => counts.set(label, (counts.get(label) || 0) + 1), new Map());
  const label = I.lines.label[line];
  return !label ? lineUser(line) : labelled.get(label) > 1 ? `${lineUser(line)} ${label}` : label;
}
// `@pbx.example.com` when all lines end so: then it tells nothing.
let domain = null;
function commonDomain() {
  if (domain === null) {
    const of = line => line.includes('@') ? line.slice(line.lastIndexOf('@')) : '';
    domain = of(I.lines.line[0] || '');
    if (!I.lines.line.every(line => line.endsWith(domain) && line.length > domain.length)) domain = '';
  }
  return domain;
}
// What an address has in common with all others is left out.
const shortPlace = text => text.replace(/:5060$/, '');
