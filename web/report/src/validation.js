// The page of a model beside measurements: every subject's points, errors by group and by cell, and what is left out.
import {meanErrors, mount, predictedOverMeasured} from './charts.js';
import {count, measure, percent} from './format.js';
import {card, el, figures, part, table} from './page.js';
import {header} from './run.js';

const kBand = 0.1;
const kFewPoints = 20;
// Beyond this an error is drawn at the edge: one null model that is wrong by thousands of percent hides all others.
const kMostError = 1.5;

const signed = (share) => `${share < 0 ? '\u2212' : '+'}${percent(Math.abs(share))}`;
const within = (rows) => rows.filter((row) => Math.abs(row.error) <= kBand).length;
const means = (rows) => rows.reduce((sum, row) => sum + Math.abs(row.error), 0) / rows.length;
const nullError = (row) => row.null_predicted / row.measured - 1;

/** `low to high` of few points; many need none. */
const interval = ({points, mean_interval_95: given}) =>
  points >= kFewPoints ? '' : given ? `${percent(given[0])} to ${percent(given[1])}` : 'unknown';

const verdict = (row) => {
  const better = row.mean < row.null_mean;
  return el('span', {class: better ? 'better' : 'worse'}, better ? 'nearer' : 'not nearer');
};

const kColumns = ['points', 'mean', '95 % of the mean', 'median', 'largest', 'bias', 'null mean', 'null largest', 'than null'];
const errorTable = (first, rows) => table([first, ...kColumns], rows.map((row) => [
  row.name, count(row.points), percent(row.mean), interval(row), percent(row.median), percent(row.max), signed(row.bias),
  percent(row.null_mean), percent(row.null_max), verdict(row),
]), `Errors by ${first}`);

/** Whole powers of ten around all values. */
const spanOf = (rows) => {
  const values = rows.flatMap((row) => [row.measured, row.predicted, row.null_predicted]).filter((value) => value > 0);
  const least = 10 ** Math.floor(Math.log10(Math.min(...values)));
  return [least, Math.max(10 ** Math.ceil(Math.log10(Math.max(...values))), least * 10)];
};

const groupsOf = (rows, value) => {
  const groups = new Map();
  for (const row of rows) {
    if (!groups.has(row.group)) groups.set(row.group, []);
    if (row.measured > 0 && value(row) > 0) groups.get(row.group).push({measured: row.measured, predicted: value(row), what: row.what, id: row.id});
  }
  return [...groups].map(([name, points]) => ({name, points})).sort((a, b) => (a.name < b.name ? -1 : 1));
};

/** The model's points and the null model's, side by side on equal axes; a pair for each unit. */
const points = (grid, subject, rows, unit, number) => {
  const span = spanOf(rows);
  const id = `${subject.subject}${number > 0 ? `-${number + 1}` : ''}`;
  const of = unit === 's' ? 'times' : `values in ${unit}`;
  const hidden = (value) => rows.filter((row) => !(row.measured > 0 && value(row) > 0)).length;
  const draw = (kind, title, value) => {
    const groups = groupsOf(rows, value);
    const missing = hidden(value);
    const inside = rows.filter((row) => Math.abs(value(row) / row.measured - 1) <= kBand).length;
    card(grid, {
      id: `${id}-${kind}`, title,
      text: `${count(inside)} of ${count(rows.length)} ${of} lie in the band of \u00b110\u00a0%.${missing > 0 ? ` ${count(missing)} that are not above 0 are not drawn.` : ''}`,
    }, (chart) => mount(chart, predictedOverMeasured(groups, {unit, span, band: kBand}), {height: 440, label: title}));
  };
  draw('points', 'Model: predicted over measured', (row) => row.predicted);
  draw('null', 'Null model, on the same axes', (row) => row.null_predicted);
};

const errors = (grid, id, title, first, rows) => card(grid, {
  id, title, wide: true,
  text: 'Mean size of the error; the bar is where the mean lies with 95\u00a0% if the points are a sample of their kind (Student\u2019s t).',
  data: errorTable(first, rows),
}, (chart) => {
  const shown = rows.map((row) => ({...row, low: row.mean_interval_95?.[0] ?? null, high: row.mean_interval_95?.[1] ?? null}));
  const widest = Math.max(...shown.flatMap((row) => [row.mean, row.null_mean, row.high ?? 0]), 0.1);
  mount(chart, meanErrors(shown, {most: Math.min(Math.ceil(widest * 10) / 10, kMostError)}), {height: 70 + 26 * rows.length, label: title});
});

const show = (main, subject) => {
  const grid = part(main, subject.subject);
  const {rows} = subject;
  const wide = (label, ...children) => grid.append(el('section', {class: 'card wide', 'aria-label': label}, ...children));
  wide('What is compared', el('h3', {}, subject.heading), el('p', {}, 'An error is (predicted \u2212 measured) / measured. The null model knows nothing of the mechanism.'),
    rows.length > 0 ? errorTable('all', subject.totals) : el('p', {class: 'empty'}, 'No row could be compared.'),
    subject.notes.map((note) => el('p', {class: 'remark'}, note)));
  if (rows.length > 0) {
    const units = [...new Set(rows.map((row) => row.unit))].sort();
    units.forEach((unit, number) => points(grid, subject, rows.filter((row) => row.unit === unit), unit, number));
    errors(grid, `${subject.subject}-groups`, 'Error by group', 'group', subject.groups);
    errors(grid, `${subject.subject}-cells`, 'Error by cell', 'cell', subject.cells);
  }
  if (subject.worst.length > 0) {
    wide('Furthest off', el('h3', {}, 'Furthest off'), table(['row', 'group', 'what', 'measured', 'predicted', 'error', 'made of'],
      subject.worst.map((row) => [row.id, row.group, row.what, measure(row.measured, row.unit), measure(row.predicted, row.unit), signed(row.error),
        el('span', {class: 'reason'}, row.why)]), 'Rows furthest off'));
  }
  if (subject.left_out.length > 0) {
    wide('Left out', el('h3', {}, 'Rows that the model cannot express'),
      table(['reason', 'rows'], subject.left_out.map((each) => [each.reason, count(each.rows)]), 'Rows left out, by reason'));
  }
};

/** subjects: what `gw physics validate --json` gives of each, with all rows. */
export const showValidation = (main, subjects) => {
  main.append(header('Physics beside measurements', subjects.map((each) => [each.subject, `${count(each.rows.length)} points`]), 'Gigawerk: physics'));
  const shown = subjects.filter((each) => each.rows.length > 0);
  if (shown.length > 0) {
    main.append(figures(shown.map((each) => ({
      name: `${each.subject}, mean error`, value: percent(means(each.rows)),
      note: `null model ${percent(each.rows.reduce((sum, row) => sum + Math.abs(nullError(row)), 0) / each.rows.length)}; ` +
        `${percent(within(each.rows) / each.rows.length)} of the points within 10\u00a0%`,
    }))));
  }
  for (const subject of subjects) show(main, subject);
  main.append(el('footer', {}, 'Written by gw physics validate from the tables that it was given; docs/physics-*.md of Gigawerk say how each model works. Charts: Apache ECharts.'));
};
