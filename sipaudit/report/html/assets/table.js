// Tables of any length, a page at a time.
const ROWS_SHOWN = 25;

class Paged {
  // `rows(from, to)` gives the table rows of a page, now or later; `heads` as for table().
  constructor(host, what, heads, rows) {
    Object.assign(this, {host, what, heads, rows, page: 0, count: 0, turn: 0});
    this.body = scrolling(what);
    this.place = make('span', {'aria-live': 'polite'});
    this.back = make('button', {type: 'button', on: {click: () => this.go(this.page - 1)}}, '← Previous');
    this.on = make('button', {type: 'button', on: {click: () => this.go(this.page + 1)}}, 'Next →');
    host.replaceChildren(this.body, make('div', {class: 'pager'}, this.back, this.place, this.on));
  }
  show(count) {
    this.count = count;
    this.go(0);
  }
  async go(page) {
    this.page = page;
    const turn = ++this.turn, from = page * ROWS_SHOWN, to = Math.min(from + ROWS_SHOWN, this.count);
    const rows = await this.rows(from, to);
    if (turn !== this.turn) return;  // another page was asked for meanwhile
    this.body.replaceChildren(rows.length ? table(this.heads, rows, 'rows') : make('p', {}, 'None fits these filters.'));
    this.place.textContent = this.count ? `${from + 1}–${to} of ${grouped(this.count)}` : '';
    this.back.disabled = page === 0;
    this.on.disabled = to >= this.count;
    this.back.parentElement.hidden = this.count <= ROWS_SHOWN;
  }
}

let findingTable = null;
function setUpFindings() {
  if (!I.findings.id.length) return;
  findingTable = new Paged($('finding-list'), 'Table of findings', [['Id'], ['Severity'], ['Time'], ['Rule'], ['Line'], ['Observed']],
    (from, to) => Promise.all(view.findings.slice(from, to).map(findingRow)));
  whenFiltered(() => findingTable.show(view.findings.length));
}
async function findingRow(finding) {
  const all = I.findings, details = await detailsOf(finding), open = () => { location.hash = findingLink(all.id[finding]); };
  const line = all.line[finding];
  return row([
    cell('short', link(all.id[finding], open, 'id')),
    cell('short', severity(all.severity[finding]), all.suppressed[finding] ? make('span', {class: 'badge'}, 'suppressed') : ''),
    cell('short time', all.time[finding] === null ? '–' : stamp(all.time[finding])),
    code(I.rules[all.rule[finding]]),
    cell('line', line < 0 ? details[9] || '–' : lineName(line)),
    cell('wide', details[1]),
  ], {class: all.suppressed[finding] ? 'suppressed' : false, on: {click: event => event.target.closest('button') || open()}});
}
