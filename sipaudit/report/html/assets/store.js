// Unpacking the data blocks of the page, once each.
const unpacked = new Map();

async function text(name) {
  const element = document.getElementById('data-' + name);
  const binary = atob(element.textContent);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Response(stream).text();
}
function value(name) {
  if (!unpacked.has(name)) {
    const promise = text(name).then(JSON.parse);
    promise.then(result => { promise.result = result; });
    unpacked.set(name, promise);
  }
  return unpacked.get(name);
}
// What is unpacked already, else undefined: for drawing, which cannot wait.
const ready = name => unpacked.get(name)?.result;

const lane = number => {
  const block = ready('lanes-' + Math.floor(number / I.lines.lanes));
  return block && block[number % I.lines.lanes];
};
const wantLane = number => value('lanes-' + Math.floor(number / I.lines.lanes));
const laneOf = async number => (await wantLane(number))[number % I.lines.lanes];
const detailsOf = async number => (await value('details-' + Math.floor(number / I.findings.details)))[number % I.findings.details];
const messagesOf = async number => number < I.findings.shown
  ? (await value('messages-' + Math.floor(number / I.findings.messages)))[number % I.findings.messages] : null;

// Finding numbers by line, made when first asked for.
let byLine = null;
function findingsOf(line) {
  if (!byLine) {
    byLine = new Map();
    I.findings.line.forEach((of, number) => {
      if (!byLine.has(of)) byLine.set(of, []);
      byLine.get(of).push(number);
    });
  }
  return byLine.get(line) || [];
}
