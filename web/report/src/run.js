// The page of one run.
import {bars, barsOverTime, mount, overTime, percentiles, shares, splits} from './charts.js';
import {bytes, count, duration, durationParts, hours, number, percent, short} from './format.js';
import {card, el, figures, part, table} from './page.js';

const kMostTenants = 20;
const kLevelColours = ['useful', 'one', 'five', 'two', 'three', 'down', 'four', 'six'];

/** Bins of a report's series as points in time, thinned so that a browser draws them at once. */
export const timeOf = (report, most = 1024) => {
  const {series} = report;
  const bins = series.total_gpus.length;
  const merge = Math.max(1, Math.ceil(bins / most));
  const width = series.width_s * merge;
  const end = Math.max(report.last_end_s, series.begin_s + 1e-9);
  const merged = (sum) => (name) => {
    const values = [];
    for (let bin = 0; bin < bins; bin += merge) {
      let total = 0;
      let parts = 0;
      for (let at = bin; at < Math.min(bin + merge, bins); ++at, ++parts) total += series[name][at];
      values.push(sum ? total : total / parts);
    }
    return values;
  };
  return {bins, begin: series.begin_s, end, width, at: (bin) => series.begin_s + bin * width, level: merged(false), sum: merged(true)};
};

const distributionRow = (row) => [row.name, count(row.count), duration(row.mean), duration(row.p50), duration(row.p90), duration(row.p99), duration(row.max)];
const kWaitHeader = ['', 'jobs', 'mean', 'p50', 'p90', 'p99', 'max'];
const rowHeight = (rows) => 78 + rows * 34;

const headline = (report) => {
  const wait = durationParts(report.wait_s.p50);
  const late = durationParts(report.wait_s.p90);
  const span = durationParts(report.makespan_s);
  const tenants = report.tenants.filter((tenant) => tenant.depth === 1);
  const list = [
    {name: 'GPU utilisation', value: ((report.utilization_until_last_submit ?? report.utilization) * 100).toFixed(1), unit: '%',
      note: `until the last submit; ${(report.utilization * 100).toFixed(1)} % to the last end`},
    {name: 'Asked for', value: ((report.offered_load ?? 0) * 100).toFixed(1), unit: '%', note: 'all work, of the GPU-time until the last submit'},
    {name: 'Jobs finished', value: count(report.jobs.finished), note: `of ${count(report.jobs.submitted)} submitted, ${count(report.jobs.rejected)} rejected`},
    {name: 'Wait, half the jobs', value: wait[0], unit: wait[1], note: 'at most (p50)'},
    {name: 'Wait, nine in ten', value: late[0], unit: late[1], note: 'at most (p90)'},
    {name: 'Bounded slowdown', value: number(report.bounded_slowdown.p50), unit: '\u00d7', note: `p90 ${number(report.bounded_slowdown.p90)}\u00d7`},
    {name: 'Makespan', value: span[0], unit: span[1], note: 'first submit to last end'},
  ];
  if (tenants.length > 1) {
    list.push({name: 'Fair-share error', value: (report.fair_share.misallocated_share * 100).toFixed(1), unit: '%', note: 'of GPU-time beyond entitlement'});
  }
  return figures(list);
};

export const header = (title, facts, eyebrow) => el('header', {},
  el('div', {class: 'eyebrow'}, eyebrow), el('h1', {}, title), el('ul', {class: 'facts'}, facts.map(([name, value]) => el('li', {}, `${name} `, el('b', {}, value)))));

const gpus = (main, report, time) => {
  const grid = part(main, 'The machines');
  const total = time.level('total_gpus');
  const down = time.level('down_gpus');
  const allocated = time.level('allocated_gpus');
  const useful = time.level('useful_gpus');
  const less = (a, b) => a.map((value, bin) => Math.max(value - b[bin], 0));
  const lost = less(allocated, useful);
  const idle = less(less(total, down), allocated);
  const {gpu_hours: sums} = report;
  const share = (value) => percent(sums.existing > 0 ? value / sums.existing : 0);
  card(grid, {
    id: 'gpus', wide: true, title: 'What the GPUs did',
    text: 'Every GPU is at each moment useful, working on something that a failure will undo, idle, or down. Each point is the mean of its interval. Hold Ctrl and scroll to zoom; all charts over time move together.',
    data: table(['', 'GPU-hours', 'share'], [['useful', number(sums.useful), share(sums.useful)], ['lost to failures', number(sums.lost), share(sums.lost)],
      ['idle', number(sums.idle), share(sums.idle)], ['down', number(sums.down), share(sums.down)], ['all', number(sums.existing), share(sums.existing)]], 'GPU-hours by use'),
  }, (chart) => mount(chart, overTime(time, [
    {name: 'useful', colour: 'useful', values: useful, stack: 'all'},
    {name: 'lost to failures', colour: 'lost', values: lost, stack: 'all'},
    {name: 'idle', colour: 'idle', values: idle, stack: 'all'},
    {name: 'down', colour: 'down', values: down, stack: 'all'},
  ], {unit: 'GPUs', top: Math.max(...total)}), {height: 340, overTime: true, label: 'GPUs useful, lost, idle and down over time'}));

  const part_ = report.fragmentation;
  card(grid, {
    id: 'fragmentation', wide: report.failures.node_failures === 0, title: 'Free, but no use to the head of the queue',
    text: `Free GPUs that can be no part of where the first waiting job will run: of another type, or left over on nodes that have fewer than it needs on each. A head job waits ${percent(part_.head_wait_share)} of the time; then ${number(part_.unusable_gpus_mean)} GPUs are free and of no use to it; ${number(part_.fragmented_gpus_mean)} if only the times count at which they would be enough by number.`,
    data: table(['', 'GPUs, mean while a head waits', 'share of GPUs'], [['unusable for the head', number(part_.unusable_gpus_mean), percent(part_.unusable_share)],
      ['of these, fragmented', number(part_.fragmented_gpus_mean), percent(part_.fragmented_share)]], 'Unusable GPUs'),
  }, (chart) => mount(chart, overTime(time, [
    {name: 'free, unusable for the head job', colour: 'one', values: time.level('unusable_gpus'), area: true},
    {name: 'of these, enough by number', colour: 'two', values: time.level('fragmented_gpus'), area: true},
  ], {unit: 'GPUs'}), {height: 260, overTime: true, label: 'GPUs that are free but unusable for the head job over time'}));

  if (report.failures.node_failures === 0) return;
  card(grid, {
    id: 'failures', title: 'Failures and lost work',
    text: `${count(report.failures.node_failures)} node failures stopped ${count(report.failures.stopped_jobs)} running jobs. What they had done since their last checkpoint is lost: ${hours(report.failures.lost_gpu_hours)}, at the time at which it was worked.`,
    data: table(['', ''], [['node failures', count(report.failures.node_failures)], ['stopped jobs', count(report.failures.stopped_jobs)],
      ['lost GPU-hours', number(report.failures.lost_gpu_hours)]], 'Failures'),
  }, (chart) => {
    const rough = timeOf(report, 64);
    mount(chart, barsOverTime(rough, [
      {name: 'node failures', colour: 'down', unit: 'failures', values: rough.sum('node_failures'), whole: true},
      {name: 'work lost', colour: 'lost', unit: 'GPU-hours', values: rough.sum('lost_gpu_hours')},
    ]), {height: 260, overTime: true, label: 'Node failures and lost work over time'});
  });
};

/** Megawatts against cap, of reports that have feeds whose caps can bind. */
const power = (main, report) => {
  const from = report.power;
  if (!from) return;
  const grid = part(main, 'Power');
  const {series} = from;
  const bins = series.draw_mw.length;
  const time = {bins, begin: series.begin_s, end: Math.max(report.last_end_s, series.begin_s + 1e-9), width: series.width_s, at: (bin) => series.begin_s + bin * series.width_s};
  const rows = from.feeds.map((feed) => [feed.feed, number(feed.mean_mw), number(feed.peak_mw), number(feed.cap_mean_mw), number(feed.cap_min_mw),
    percent(feed.peak_share), percent(feed.above_share), duration(feed.longest_above_s)]);
  const late = from.late_feeds === 0 ? `No feed was above its cap for longer than ${duration(from.reaction_s)}.`
    : `${count(from.late_feeds)} feeds were above their caps for longer than ${duration(from.reaction_s)}, ${duration(from.longest_above_s)} at most.`;
  card(grid, {
    id: 'power', wide: true, title: 'Megawatts against cap',
    text: `What all sites draw together, as predicted, and what their feeds carry. Caps changed ${count(from.cap_changes)} times; clocks were capped or freed ${count(from.clock_orders)} times, and ${count(from.stopped_jobs)} jobs stopped. ${late}`,
    data: table(['feed', 'mean MW', 'peak MW', 'cap MW', 'lowest cap', 'peak of cap', 'time above', 'longest above'], rows, 'Feeds whose caps can bind'),
  }, (chart) => mount(chart, overTime(time, [
    {name: 'drawn', colour: 'one', values: series.draw_mw, area: true},
    {name: 'cap', colour: 'six', values: series.cap_mw, dashed: true},
  ], {unit: 'MW'}), {height: 260, overTime: true, label: 'Power drawn and its cap over time'}));
};

/** How fast jobs went where they were, of runs in which physics times them. */
const speed = (main, report) => {
  const from = report.physics;
  if (!from || from.jobs === 0) return;
  const grid = part(main, 'Speed');
  const share = (row, value) => percent(value / Math.max(row.gpu_hours, 1e-9));
  const cells = (row) => [row.class ?? 'all', count(row.jobs), number(row.gpu_hours), percent(row.speed),
    share(row, row.lost_to_span), share(row, row.lost_to_contention), share(row, row.lost_to_caps)];
  const rows = [...from.classes, ...(from.classes.length > 1 ? [from] : [])].map(cells);
  grid.append(el('section', {class: 'card wide', 'aria-label': 'Speed by class'}, el('h3', {}, 'Against the best place'),
    el('p', {}, 'Of what each job would do at its best on the same GPUs; the rest is lost to where its GPUs lay, to other jobs on its links, and to capped clocks.'),
    table(['class', 'jobs', 'GPU-hours', 'speed', 'lost to span', 'to contention', 'to caps'], rows, 'Speed by class')));
};

const queue = (main, report, time) => {
  const grid = part(main, 'The queue');
  const {queue: q} = report;
  card(grid, {
    id: 'queue-jobs', title: 'Jobs',
    text: `On average ${number(q.pending_jobs_mean)} jobs wait (at most ${count(q.pending_jobs_max)}) and ${number(q.running_jobs_mean)} run.`,
    data: table(['', 'mean', 'most'], [['waiting', number(q.pending_jobs_mean), count(q.pending_jobs_max)], ['running', number(q.running_jobs_mean), count(q.running_jobs_max)]], 'Jobs waiting and running'),
  }, (chart) => mount(chart, overTime(time, [
    {name: 'waiting', colour: 'two', values: time.level('pending_jobs'), area: true},
    {name: 'running', colour: 'one', values: time.level('running_jobs')},
  ], {unit: 'jobs'}), {height: 260, overTime: true, label: 'Jobs waiting and running over time'}));
  card(grid, {
    id: 'queue-gpus', title: 'GPUs asked for',
    text: `The waiting jobs together ask for ${short(q.pending_gpus_mean)} GPUs on average, ${short(q.pending_gpus_max)} at most; ${short(report.gpus)} exist.`,
    data: table(['', 'mean', 'most'], [['GPUs asked for by waiting jobs', number(q.pending_gpus_mean), count(q.pending_gpus_max)]], 'GPUs asked for'),
  }, (chart) => mount(chart, overTime(time, [
    {name: 'asked for by waiting jobs', colour: 'two', values: time.level('pending_gpus'), area: true},
    {name: 'existing', colour: 'six', values: time.level('total_gpus'), dashed: true},
  ], {unit: 'GPUs'}), {height: 260, overTime: true, label: 'GPUs asked for by waiting jobs over time'}));
};

const waits = (main, report) => {
  const grid = part(main, 'What users saw');
  const sizes = report.by_size.filter((row) => row.started > 0);
  const bySize = sizes.map((row) => ({name: row.gpus === 'none' ? 'no GPU' : `${row.gpus} GPU${row.gpus === '1' || row.gpus === '<1' ? '' : 's'}`, ...row.wait_s}));
  const all = {name: 'all jobs', ...report.wait_s};
  const exact = report.quantile_relative_error === 0 ? '' : ` Quantiles are within ${percent(report.quantile_relative_error)}.`;
  card(grid, {
    id: 'wait-size', title: 'Wait by size',
    text: `From submission to the first start. Half of the jobs wait no longer than p50, 99 in 100 no longer than p99. Larger gangs wait for more GPUs to fall free together.${exact}`,
    data: table(kWaitHeader, [all, ...bySize].map(distributionRow), 'Wait by size'),
  }, (chart) => mount(chart, percentiles([all, ...bySize], {kind: 'wait'}), {height: rowHeight(bySize.length + 1), label: 'Wait percentiles by size of the job'}));

  const slow = [{name: 'all jobs', ...report.bounded_slowdown}, ...sizes.filter((row) => row.finished > 0).map((row, index) => ({name: bySize[index].name, ...row.bounded_slowdown}))];
  card(grid, {
    id: 'slowdown-size', title: 'Bounded slowdown by size',
    text: 'Time from submission to end, over the time of the work itself (at least 10 s): 1\u00d7 is a job that never waited, 2\u00d7 one that waited as long as it ran.',
    data: table(kWaitHeader, slow.map((row) => [row.name, count(row.count), ...['mean', 'p50', 'p90', 'p99', 'max'].map((key) => `${number(row[key])}\u00d7`)]), 'Bounded slowdown by size'),
  }, (chart) => mount(chart, percentiles(slow.filter((row) => row.count > 0), {kind: 'slowdown'}), {height: rowHeight(slow.length), label: 'Bounded slowdown percentiles by size of the job'}));

  if (report.by_class.length > 1) {
    const rows = report.by_class.map((row) => ({name: row.class, ...row.wait_s}));
    card(grid, {
      id: 'wait-class', title: 'Wait by class of work', text: 'The same by what the job is for.',
      data: table([...kWaitHeader, 'GPU-hours'], report.by_class.map((row, index) => [...distributionRow(rows[index]), number(row.gpu_hours)]), 'Wait by class'),
    }, (chart) => mount(chart, percentiles(rows, {kind: 'wait'}), {height: rowHeight(rows.length), label: 'Wait percentiles by class of work'}));
  }

  if (report.reasons.length > 0) {
    const rows = report.reasons.slice(0, 12).map((row) => ({name: row.reason, value: row.wait_hours, note: `${count(row.jobs)} jobs`}));
    card(grid, {
      id: 'reasons', wide: report.by_class.length <= 1, title: 'Why jobs waited',
      text: 'At any time one reason keeps a waiting job from starting. Here each job\u2019s whole wait counts for the one recorded when it was first left waiting.',
      data: table(['', 'jobs', 'hours waited'], report.reasons.map((row) => [row.reason, count(row.jobs), number(row.wait_hours)]), 'Wait by reason'),
    }, (chart) => mount(chart, bars(rows, {unit: 'job-hours of waiting', colour: 'two'}), {height: 72 + rows.length * 34, label: 'Hours waited by first binding reason'}));
  }
};

const tenants = (main, report) => {
  const tops = report.tenants.filter((tenant) => tenant.depth === 1);
  if (tops.length < 2) return;
  const grid = part(main, 'The tenants');
  const all = tops.reduce((sum, tenant) => sum + tenant.gpu_hours, 0) || 1;
  const row = (tenant) => ({name: tenant.path, kind: tenant.kind, got: tenant.gpu_hours, gotShare: tenant.gpu_hours / all, entitled: tenant.entitled_gpu_hours, entitledShare: tenant.entitled_gpu_hours / all, jobs: tenant.submitted});
  const shown = tops.slice(0, kMostTenants).map(row);
  const rest = tops.slice(kMostTenants);
  if (rest.length > 0) {
    const sum = (key) => rest.reduce((total, tenant) => total + tenant[key], 0);
    shown.push(row({path: `${rest.length} others`, kind: '', gpu_hours: sum('gpu_hours'), entitled_gpu_hours: sum('entitled_gpu_hours'), submitted: sum('submitted')}));
  }
  card(grid, {
    id: 'tenants', title: 'GPU-hours and entitlement',
    text: `A tenant is entitled to its weight\u2019s share of what was delivered, but to no more than it asked for, over each ${duration(report.fair_share.window_s)} (weighted max-min fairness). ${percent(report.fair_share.misallocated_share)} of the GPU-time went beyond its owner\u2019s entitlement.`,
    data: table(['', 'weight', 'jobs', 'GPU-hours', 'entitled', 'mean wait', 'longest wait'], report.tenants.slice(0, 500).map((tenant) => [`${'\u2003'.repeat(tenant.depth - 1)}${tenant.path}`, count(tenant.weight), count(tenant.submitted), number(tenant.gpu_hours),
      tenant.depth === 1 ? number(tenant.entitled_gpu_hours) : '', duration(tenant.wait_s.mean), duration(tenant.wait_s.max)]), 'Tenants'),
  }, (chart) => mount(chart, shares(shown), {height: 82 + shown.length * 28, label: 'GPU-hours by tenant against entitlement'}));
  const waiting = tops.slice(0, kMostTenants).filter((tenant) => tenant.wait_s.count > 0).map((tenant) => ({name: tenant.path, ...tenant.wait_s}));
  card(grid, {
    id: 'wait-tenant', title: 'Wait by tenant', text: 'Whose jobs wait, largest users first. Unequal waits are not unfair by themselves: who asks for more than a share waits longer.',
    data: table(kWaitHeader, tops.filter((tenant) => tenant.wait_s.count > 0).map((tenant) => distributionRow({name: tenant.path, ...tenant.wait_s})), 'Wait by tenant'),
  }, (chart) => mount(chart, percentiles(waiting, {kind: 'wait'}), {height: 82 + shown.length * 28, label: 'Wait percentiles by tenant'}));
};

const spans = (main, report) => {
  const measures = [['all jobs', 'jobs'], ['all GPU-hours', 'gpu_hours'], ['gang jobs', 'gang_jobs'], ['gang GPU-hours', 'gang_gpu_hours']];
  const total = Object.fromEntries(measures.map(([, key]) => [key, report.spans.reduce((sum, span) => sum + span[key], 0)]));
  const shown = measures.filter(([, key]) => total[key] > 0);
  if (report.spans.filter((span) => span.jobs > 0).length < 2) return;
  const grid = part(main, 'The fabric');
  card(grid, {
    id: 'spans', wide: true, title: 'How far jobs reach',
    text: 'The smallest part of the fabric that holds all GPUs of a job: the fewer levels it crosses, the faster its collectives. Gang jobs are those of more than one node.',
    data: table(['within one', ...measures.map(([name]) => name)], report.spans.map((span) => [span.level, ...measures.map(([, key]) => number(span[key]))]), 'Spans'),
  }, (chart) => mount(chart, splits(shown.map(([name]) => name), report.spans.map((span, index) => ({
    name: `one ${span.level}`, colour: kLevelColours[index % kLevelColours.length], values: shown.map(([, key]) => span[key] / total[key]),
  }))), {height: 60 + shown.length * 44, label: 'Share of jobs and GPU-hours by the fabric level that holds them'}));
};

/** What reading the log left out or adjusted, and what the command made of its input; nothing where all is as it was. */
const remarks = (report) => {
  const total = (reasons) => Object.values(reasons).reduce((sum, {count: rows}) => sum + rows, 0);
  const lines = [...(report.notes ?? [])];
  if (report.rows) {
    const [skipped, adjusted] = [total(report.rows.skipped), total(report.rows.adjusted)];
    if (skipped + adjusted > 0) lines.push(`Of ${count(report.rows.read)} rows of the log ${count(skipped)} were left out and ${count(adjusted)} adjusted.`);
  }
  return lines.map((line) => el('p', {class: 'remark'}, line));
};

const outcomes = (report) => {
  const {jobs} = report;
  const ended = [['completed', jobs.completed], ['failed by themselves', jobs.failed], ['cancelled', jobs.cancelled], ['stopped at their limit', jobs.timed_out]];
  const share = (value) => percent(jobs.finished > 0 ? value / jobs.finished : 0);
  return table(['', 'jobs', 'of the finished'], [
    ['submitted', count(jobs.submitted), ''], ['started', count(jobs.started), ''], ['finished', count(jobs.finished), ''],
    ...ended.map(([name, value]) => [`\u2003${name}`, count(value), share(value)]),
    ['restarts after failures', count(jobs.restarts), ''], ['cancelled while waiting', count(jobs.withdrawn), ''], ['rejected', count(jobs.rejected), ''],
    ...(jobs.rejected_detail?.length ? jobs.rejected_detail.map((row) => [`\u2003${row.why}, such as job ${row.example}`, count(row.jobs), ''])
      : Object.entries(jobs.rejected_by).map(([name, value]) => [`\u2003${name}`, count(value), ''])),
  ], 'Jobs by outcome');
};

export const showRun = (main, report) => {
  main.append(header(report.name || 'Run', [['policy', report.policy], ['fleet', report.fleet], ['GPUs', count(Math.round(report.gpus))], ['seed', String(report.seed)]].filter(([, value]) => value), 'Gigawerk run report'));
  if (report.jobs.submitted === 0) {
    main.append(el('p', {class: 'empty'}, 'No job was submitted in this run.'));
    return;
  }
  main.append(headline(report));
  const time = timeOf(report);
  if (time.bins > 0) {
    gpus(main, report, time);
    power(main, report);
    queue(main, report, time);
  }
  speed(main, report);
  if (report.jobs.started > 0) waits(main, report);
  tenants(main, report);
  if (report.jobs.finished > 0) spans(main, report);
  const grid = part(main, 'The jobs');
  grid.append(el('section', {class: 'card wide', 'aria-label': 'Jobs by outcome'}, el('h3', {}, 'What became of them'), outcomes(report), ...remarks(report)));
  main.append(el('footer', {}, `Simulated in ${duration(report.run.wall_s)} (${count(Math.round(report.run.jobs_per_s))} jobs/s, ${bytes(report.run.peak_rss_bytes)} of memory at most). Equal inputs and seed give equal figures. ` +
    'All of them are in report.json, each job in jobs.csv; docs/metrics.md of Gigawerk defines each figure. Charts: Apache ECharts.'));
};
