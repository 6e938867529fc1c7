// The page of two runs side by side.
import {mount, overTime, pairs} from './charts.js';
import {count, duration, number, percent} from './format.js';
import {card, el, part, table} from './page.js';
import {header, timeOf} from './run.js';

const kColours = ['one', 'two'];

// What is compared: [name, where it stands, how it is told, better when: 1 larger, -1 smaller, 0 neither].
const kFigures = [
  ['utilisation while jobs came', (r) => r.utilization_until_last_submit ?? r.utilization, percent, 1],
  ['utilisation to the last end', (r) => r.utilization, percent, 1],
  ['useful utilisation', (r) => r.useful_utilization, percent, 1],
  ['jobs finished', (r) => r.jobs.finished, count, 1],
  ['jobs rejected', (r) => r.jobs.rejected, count, -1],
  ['wait, mean', (r) => r.wait_s.mean, duration, -1],
  ['wait, p50', (r) => r.wait_s.p50, duration, -1],
  ['wait, p90', (r) => r.wait_s.p90, duration, -1],
  ['wait, p99', (r) => r.wait_s.p99, duration, -1],
  ['wait, longest', (r) => r.wait_s.max, duration, -1],
  ['bounded slowdown, mean', (r) => r.bounded_slowdown.mean, number, -1],
  ['bounded slowdown, p90', (r) => r.bounded_slowdown.p90, number, -1],
  ['makespan', (r) => r.makespan_s, duration, -1],
  ['fair-share error', (r) => r.fair_share.misallocated_share, percent, -1],
  ['GPUs unusable for the head', (r) => r.fragmentation.unusable_share, percent, -1],
  ['GPU-hours lost', (r) => r.gpu_hours.lost, number, -1],
];

/** Whether both runs had the same jobs, as far as the reports tell. */
const sameJobs = ([a, b]) => a.jobs.submitted === b.jobs.submitted &&
  (!a.workload?.fingerprint || !b.workload?.fingerprint || a.workload.fingerprint === b.workload.fingerprint);

export const compareRuns = (main, reports) => {
  const names = reports.map((report, index) => `${'AB'[index]}: ${report.name || 'run'}${report.policy ? `, ${report.policy}` : ''}`);
  main.append(header(reports.map((report) => report.policy || report.name || 'run').join(' and '), names.map((name, index) => [name, `${count(Math.round(reports[index].gpus))} GPUs, ${count(reports[index].jobs.submitted)} jobs`]), 'Gigawerk: two runs'));
  const grid = part(main, 'The figures');
  const same = sameJobs(reports);
  const rows = kFigures.map(([name, value, told, better]) => {
    const [a, b] = reports.map(value);
    const change = a === b ? 'equal' : a === 0 ? '' : `${b > a ? '+' : '\u2212'}${percent(Math.abs(b / a - 1))}`;
    const verdict = a === b || better === 0 || !same ? '' : (b - a) * better > 0 ? 'better' : 'worse';
    return [name, told(a), told(b), el('span', {class: verdict}, change), verdict ? `B is ${verdict}` : ''];
  });
  grid.append(el('section', {class: 'card wide', 'aria-label': 'Figures of both runs'}, table(['', 'A', 'B', 'change', ''], rows, 'Figures of both runs'),
    same ? null : el('p', {class: 'remark'}, 'The two runs had other jobs: neither is better by these figures.'),
    reports.every((report) => report.workload?.kind === 'generated') ? el('p', {class: 'remark'}, 'One run each: differences may be chance; vary --seed.') : null));
  const times = reports.map((report) => timeOf(report));
  if (times.every((time) => time.bins > 0)) {
    const over = part(main, 'Over time');
    const line = (id, title, text, name, unit, scale) => card(over, {id, title, text, wide: true}, (chart) => {
      // Each run has bins of its own width: bring both to the wider.
      const wide = times[0].width >= times[1].width ? times[0] : times[1];
      const end = Math.max(times[0].end, times[1].end);
      const begin = Math.min(times[0].begin, times[1].begin);
      const bins = Math.ceil((end - begin) / wide.width);
      const time = {begin, end, width: wide.width, at: (bin) => begin + bin * wide.width};
      const series = times.map((own, index) => {
        const from = own.level(name);
        const existing = own.level('total_gpus');
        const values = Array.from({length: bins}, (_, bin) => {
          const at = Math.floor((time.at(bin) + wide.width / 2 - own.begin) / own.width);
          const value = at >= 0 && at < from.length ? from[at] : 0;
          return scale ? 100 * value / (existing[Math.min(Math.max(at, 0), existing.length - 1)] || 1) : value;
        });
        return {name: names[index], colour: kColours[index], values, area: true};
      });
      mount(chart, overTime(time, series, {unit, top: scale ? 100 : undefined}), {height: 280, overTime: true, label: title});
    });
    line('compare-use', 'GPUs allocated', 'Share of all GPUs that run jobs.', 'allocated_gpus', '%', true);
    line('compare-queue', 'Jobs waiting', 'Depth of the queue.', 'pending_jobs', 'jobs', false);
  }
  const sizes = part(main, 'By size');
  const shown = reports[0].by_size.map((row, index) => [row, reports[1].by_size[index]]).filter(([a, b]) => a.started > 0 || b.started > 0);
  const labels = shown.map(([row]) => (row.gpus === 'none' ? 'no GPU' : row.gpus));
  const pair = (id, title, text, value, told) => card(sizes, {
    id, title, text, data: table(['GPUs', 'A', 'B'], shown.map(([a, b], index) => [labels[index], told(value(a)), told(value(b))]), title),
  }, (chart) => mount(chart, pairs(labels, names.map((name, index) => ({name, colour: kColours[index], values: shown.map((rows_) => value(rows_[index]))})), {told}), {height: 300, label: title}));
  pair('compare-wait', 'Mean wait by GPUs', 'From submission to the first start.', (row) => row.wait_s.mean, duration);
  pair('compare-slowdown', 'Bounded slowdown by GPUs, mean', '1 is a job that never waited.', (row) => row.bounded_slowdown.mean, number);
};
