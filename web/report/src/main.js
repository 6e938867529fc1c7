// Builds the page from the data that stands in it: one run, two side by side, or a model beside measurements.
import {settle} from './charts.js';
import {compareRuns} from './compare.js';
import {el} from './page.js';
import {showRun} from './run.js';
import {showValidation} from './validation.js';

const errors = [];
addEventListener('error', (event) => errors.push(event.message));

const main = document.getElementById('page');
try {
  const reports = JSON.parse(document.getElementById('data').textContent);
  main.replaceChildren();
  if (reports.validation) {
    document.title = 'Physics beside measurements \u2013 Gigawerk';
    showValidation(main, reports.validation);
  } else {
    document.title = `${reports.map((report) => report.name || 'run').join(' and ')} \u2013 Gigawerk`;
    if (reports.length === 2) {
      compareRuns(main, reports);
    } else {
      showRun(main, reports[0]);
    }
  }
  settle();
} catch (error) {
  errors.push(error.message);
  main.append(el('p', {}, `This report cannot be shown: ${error.message}. The command that wrote it gives the same figures as JSON.`));
  throw error;
} finally {
  document.documentElement.dataset.errors = errors.length;
  document.documentElement.dataset.charts = document.querySelectorAll('.chart svg').length;
}
