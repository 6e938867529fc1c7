// Numbers, spans of time and shares as people read them; every figure carries its unit.

const grouped = new Intl.NumberFormat('en-US', {maximumFractionDigits: 0});
export const count = (value) => grouped.format(value);

/** Three significant digits, or all before the point. */
export const number = (value) => {
  const size = Math.abs(value);
  if (size >= 99.95 || value === 0) return grouped.format(value);
  const digits = size >= 9.995 ? 1 : size >= 0.0995 ? 2 : 4;
  return String(Number(value.toFixed(digits)));
};

/** As `number`, with k and M for what fills a chart's axis. */
export const short = (value) => {
  const size = Math.abs(value);
  if (size >= 1e9) return `${number(value / 1e9)}\u2009bn`;
  if (size >= 1e6) return `${number(value / 1e6)}\u2009M`;
  if (size >= 1e4) return `${number(value / 1e3)}\u2009k`;
  return number(value);
};

const kUnits = [[86400, 'd', 99.5 * 3600], [3600, 'h', 99.5 * 60], [60, 'min', 99.5], [1, 's', -Infinity]];

/** [number, unit] of a span of seconds. */
export const durationParts = (seconds) => {
  const [length, unit] = kUnits.find(([, , from]) => Math.abs(seconds) >= from);
  return [number(seconds / length), unit];
};
export const duration = (seconds) => durationParts(seconds).join('\u00a0');
const kSmall = [[1, 's'], [1e-3, 'ms'], [1e-6, '\u00b5s'], [1e-9, 'ns']];

/** A value with its unit; seconds may be as short as a message takes. */
export const measure = (value, unit) => {
  if (unit !== 's') return `${short(value)}${unit ? `\u00a0${unit}` : ''}`;
  if (value >= 99.5) return duration(value);
  const [length, name] = kSmall.find(([from]) => value >= from) ?? kSmall.at(-1);
  return `${number(value / length)}\u00a0${name}`;
};
export const percent = (share) => `${(share * 100).toFixed(1)}\u00a0%`;
export const bytes = (value) => {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  for (; value >= 1024 && unit + 1 < units.length; ++unit) value /= 1024;
  return `${number(value)}\u00a0${units[unit]}`;
};
export const hours = (value) => `${short(value)}\u00a0GPU-h`;

const kSteps = [1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 345600, 604800, 1209600,
  2419200, 7862400, 15724800, 31449600, 62899200, 157248000, 314496000, 628992000];

/** The length between marks so that `span` seconds have at most `most` of them. */
export const timeStep = (span, most) => kSteps.find((step) => span / step <= most) ?? span / most;

/** Where a time axis from `begin` to `end` seconds is labelled, and how. */
export const timeAxis = (begin, end, most = 8) => {
  const span = Math.max(end - begin, 1);
  const step = timeStep(span, most);
  const ticks = [];
  for (let at = Math.ceil(begin / step) * step; at <= end; at += step) ticks.push(at);
  const [length, unit] = step >= 86400 ? [86400, 'day'] : step >= 3600 ? [3600, 'h'] : step >= 60 ? [60, 'min'] : [1, 's'];
  const label = (at) => (unit === 'day' ? `day ${number(at / length)}` : `${number(at / length)} ${unit}`);
  return {ticks, label};
};

/** `day 3, 14:05` */
export const moment = (seconds) => {
  const minutes = Math.floor(seconds / 60);
  const two = (value) => String(value).padStart(2, '0');
  const clock = `${two(Math.floor(minutes / 60) % 24)}:${two(minutes % 60)}`;
  return seconds < 3600 ? `${number(seconds)} s` : `day ${count(Math.floor(seconds / 86400))}, ${clock}`;
};

// Spans of time on an axis that shows zero and is otherwise about logarithmic.
export const stretch = (seconds) => Math.log10(1 + seconds / 10);
const kMarks = [0, 10, 60, 600, 3600, 6 * 3600, 86400, 7 * 86400, 30 * 86400, 365 * 86400, 3650 * 86400];
export const stretchedAxis = (most) => {
  const end = kMarks.find((mark) => mark >= most) ?? most;
  const marks = kMarks.filter((mark) => mark <= end);
  const label = (at) => {
    const mark = kMarks.find((candidate) => Math.abs(stretch(candidate) - at) < 1e-9);
    return mark === undefined ? '' : mark === 0 ? '0' : duration(mark).replace('24\u00a0h', '1\u00a0d').replace('60\u00a0s', '1\u00a0min').replace('60\u00a0min', '1\u00a0h');
  };
  return {end: stretch(end), ticks: marks.map(stretch), label};
};
