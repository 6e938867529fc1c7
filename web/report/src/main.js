// Builds the page from the data that stands in it: one run, or two side by side.
import {settle} from './charts.js';
import {compareRuns} from './compare.js';
import {el} from './page.js';
import {showRun} from './run.js';

const errors = [];
addEventListener('error', (event) => errors.push(event.message));

const main = document.getElementById('page');
try {
  const reports = JSON.parse(document.getElementById('data').textContent);
  main.replaceChildren();
  document.title = `${reports.map((report) => report.name || 'run').join(' and ')} \u2013 Gigawerk`;
  if (reports.length === 2) {
    compareRuns(main, reports);
  } else {
    showRun(main, reports[0]);
  }
  settle();
} catch (error) {
  errors.push(error.message);
  main.append(el('p', {}, `This report cannot be shown: ${error.message}. The figures are in report.json.`));
  throw error;
} finally {
  document.documentElement.dataset.errors = errors.length;
  document.documentElement.dataset.charts = document.querySelectorAll('.chart svg').length;
}
