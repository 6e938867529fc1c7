// The charts: each function turns figures into an ECharts option; `mount` draws them and keeps them fitting.
import {BarChart, CustomChart, LineChart, ScatterChart} from 'echarts/charts';
import {AriaComponent, DataZoomInsideComponent, GridComponent, LegendComponent, TooltipComponent} from 'echarts/components';
import * as echarts from 'echarts/core';
import {SVGRenderer} from 'echarts/renderers';

import {count, duration, hours, measure, moment, number, percent, short, stretch, stretchedAxis, timeAxis, timeStep} from './format.js';

echarts.use([BarChart, CustomChart, LineChart, ScatterChart, AriaComponent, DataZoomInsideComponent, GridComponent,
  LegendComponent, TooltipComponent, SVGRenderer]);

const kTimeGroup = 'time';
const mounted = [];

/** The page's colours and type, as the style sheet has them now. */
const theme = () => {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  return {colour, font: getComputedStyle(document.body).fontFamily};
};

const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const dot = (colour) => `<span class="key" style="background:${colour}"></span>`;
const tooltipRow = (colour, name, value) =>
  `<div style="display:flex;justify-content:space-between;gap:18px"><span>${dot(colour)}${escape(name)}</span>` +
  `<b style="font-variant-numeric:tabular-nums">${escape(value)}</b></div>`;

const base = ({colour, font}, narrow) => ({
  animation: false,
  aria: {enabled: true},
  textStyle: {fontFamily: font, color: colour('ink')},
  grid: {left: 8, right: narrow ? 12 : 20, top: 56, bottom: 6, containLabel: true},
  legend: {
    top: 0, left: 0, icon: 'roundRect', itemWidth: 11, itemHeight: 11, itemGap: narrow ? 10 : 16,
    textStyle: {color: colour('soft'), fontSize: 12.5}, inactiveColor: colour('rule'),
  },
  tooltip: {
    backgroundColor: colour('card'), borderColor: colour('rule'), textStyle: {color: colour('ink'), fontSize: 13},
    confine: true, padding: [9, 13], extraCssText: 'box-shadow:0 4px 18px rgb(0 0 0 / 14%);border-radius:8px;',
  },
});

const axis = ({colour}) => ({
  axisLine: {lineStyle: {color: colour('rule')}},
  axisTick: {show: false},
  axisLabel: {color: colour('soft'), fontSize: 12},
  splitLine: {lineStyle: {color: colour('grid')}},
  nameTextStyle: {color: colour('faint'), fontSize: 12},
});

const valueAxis = (look, unit, extra = {}) => ({
  ...axis(look), type: 'value', min: 0, axisLine: {show: false}, name: unit, nameLocation: 'end', nameGap: 10,
  nameTextStyle: {...axis(look).nameTextStyle, align: 'left', padding: [0, 0, 0, -6]},
  ...extra, axisLabel: {...axis(look).axisLabel, formatter: short, ...extra.axisLabel},
});

/** Time runs to the right in seconds since the run's zero. */
const timeBase = (look, narrow, begin, end) => {
  const {ticks, label} = timeAxis(begin, end, narrow ? 5 : 10);
  return {
    xAxis: {
      ...axis(look), type: 'value', min: begin, max: end, splitLine: {show: false},
      axisLabel: {...axis(look).axisLabel, formatter: label, customValues: ticks, hideOverlap: true},
      axisTick: {show: true, customValues: ticks, lineStyle: {color: look.colour('rule')}},
      axisPointer: {lineStyle: {color: look.colour('faint')}, label: {show: false}},
    },
    dataZoom: [{type: 'inside', zoomOnMouseWheel: 'ctrl', moveOnMouseWheel: false, moveOnMouseMove: false, filterMode: 'none'}],
  };
};

/** Levels over time. series: [{name, colour, values, stack, area, unit}]; each bin drawn as a step. */
export const overTime = (time, series, {unit, top, perBin = false}) => (look, narrow) => {
  const common = base(look, narrow);
  const colours = Object.fromEntries(series.map((line) => [line.name, look.colour(line.colour)]));
  return {
    ...common,
    ...timeBase(look, narrow, time.begin, time.end),
    yAxis: valueAxis(look, unit, top === undefined ? {} : {max: top}),
    legend: {...common.legend, show: series.length > 1},
    tooltip: {
      ...common.tooltip, trigger: 'axis',
      formatter: (points) => {
        const at = points[0].value[0];
        const rows = [...points].reverse().filter((point, index, all) => all.findIndex((p) => p.seriesName === point.seriesName) === index)
          .map((point) => tooltipRow(colours[point.seriesName], point.seriesName, `${number(point.value[1])} ${unit}`));
        return `<div style="color:${look.colour('soft')};margin-bottom:4px">${moment(at)}${perBin ? ` + ${duration(time.width)}` : ''}</div>${rows.join('')}`;
      },
    },
    series: series.map((line) => ({
      name: line.name, type: 'line', step: 'end', symbol: 'none', stack: line.stack, sampling: line.stack ? undefined : 'lttb',
      color: colours[line.name], lineStyle: {width: line.stack ? 0 : 1.6, type: line.dashed ? 'dashed' : 'solid'},
      areaStyle: line.stack || line.area ? {opacity: line.stack ? 0.94 : 0.16} : undefined,
      emphasis: {disabled: true},
      // A bin's level holds from its begin to its end: `step: end` needs the value at both.
      data: [...line.values.map((value, bin) => [time.at(bin), value]), [time.end, line.values.at(-1)]],
    })),
  };
};

/** Sums per bin as bars. */
export const barsOverTime = (time, series) => (look, narrow) => {
  const common = base(look, narrow);
  return {
    ...common,
    ...timeBase(look, narrow, time.begin, time.end),
    yAxis: series.map((bars, index) => valueAxis(look, bars.unit, {
      position: index === 0 ? 'left' : 'right', splitLine: {show: index === 0, lineStyle: {color: look.colour('grid')}}, minInterval: bars.whole ? 1 : undefined,
      nameTextStyle: {color: look.colour('faint'), align: index === 0 ? 'left' : 'right', padding: index === 0 ? [0, 0, 0, -6] : [0, -6, 0, 0]},
    })),
    tooltip: {
      ...common.tooltip, trigger: 'axis',
      formatter: (points) => `<div style="color:${look.colour('soft')};margin-bottom:4px">${moment(points[0].value[0])}, ${duration(time.width)} long</div>` +
        points.map((point) => tooltipRow(point.color, point.seriesName, `${number(point.value[1])} ${series[point.seriesIndex].unit}`)).join(''),
    },
    series: series.map((bars, index) => ({
      name: bars.name, type: 'bar', yAxisIndex: index, barMinWidth: 2, barMaxWidth: 14, color: look.colour(bars.colour),
      data: bars.values.map((value, bin) => [time.at(bin), value]).filter(([, value]) => value > 0),
    })),
  };
};

const kMarks = [['p50', 'low', 9], ['p90', 'middle', 11], ['p99', 'high', 9]];

/** Rows of p50, p90, p99 on one line each, and the maximum as a small mark. rows: [{name, p50, p90, p99, max}]. */
export const percentiles = (rows, {kind}) => (look, narrow) => {
  const common = base(look, narrow);
  const most = Math.max(...rows.map((row) => row.max), kind === 'wait' ? 10 : 2);
  const wait = kind === 'wait' ? stretchedAxis(most) : null;
  const place = wait ? stretch : (value) => value;
  const told = wait ? duration : (value) => `${number(value)}\u00d7`;
  const names = rows.map((row) => row.name);
  const marks = [...kMarks, ['max', 'faint', 5]];
  return {
    ...common,
    grid: {...common.grid, top: 34},
    xAxis: wait ?
      {...axis(look), type: 'value', min: 0, max: wait.end, axisLine: {show: false},
        axisLabel: {...axis(look).axisLabel, formatter: wait.label, customValues: wait.ticks, hideOverlap: true},
        splitLine: {lineStyle: {color: look.colour('grid')}}, axisTick: {show: false}} :
      {...axis(look), type: 'log', min: 1, logBase: 10, axisLine: {show: false},
        axisLabel: {...axis(look).axisLabel, formatter: (value) => `${short(value)}\u00d7`}},
    yAxis: {...axis(look), type: 'category', data: names, inverse: true, splitLine: {show: false},
      axisLabel: {...axis(look).axisLabel, width: narrow ? 92 : 150, overflow: 'truncate', color: look.colour('ink')}},
    tooltip: {
      ...common.tooltip, trigger: 'axis', axisPointer: {type: 'shadow', shadowStyle: {color: look.colour('faint'), opacity: 0.08}},
      formatter: (points) => {
        const row = rows[points[0].dataIndex];
        return `<div style="margin-bottom:4px"><b>${escape(row.name)}</b> <span style="color:${look.colour('soft')}">${count(row.count)} jobs</span></div>` +
          marks.map(([key, colour]) => tooltipRow(look.colour(colour), key, told(row[key]))).join('') + tooltipRow('transparent', 'mean', told(row.mean));
      },
    },
    legend: {...common.legend, data: marks.map(([key]) => key), icon: 'circle', itemWidth: 9, itemHeight: 9},
    series: [
      {type: 'custom', silent: true, z: 1, data: rows.map((row, index) => [index, place(row.p50), place(row.p99)]), encode: {y: 0, x: [1, 2]},
        renderItem: (params, api) => {
          const from = api.coord([api.value(1), api.value(0)]);
          const to = api.coord([api.value(2), api.value(0)]);
          return {type: 'rect', shape: {x: from[0], y: from[1] - 2, width: Math.max(to[0] - from[0], 0), height: 4, r: 2}, style: {fill: look.colour('rule')}};
        }},
      ...marks.map(([key, colour, size]) => ({
        name: key, type: 'scatter', symbol: key === 'max' ? 'rect' : 'circle', symbolSize: key === 'max' ? [2, 11] : size, color: look.colour(colour), z: 3,
        data: rows.map((row, index) => [place(row[key]), index]),
      })),
    ],
  };
};

/** GPU-hours that each tenant got as bars, and what it was entitled to as a mark. */
export const shares = (rows) => (look, narrow) => {
  const common = base(look, narrow);
  return {
    ...common,
    grid: {...common.grid, top: 34, bottom: 24},
    xAxis: {...valueAxis(look, 'GPU-hours', {axisLabel: {hideOverlap: true}}), nameLocation: 'middle', nameGap: 26, nameTextStyle: axis(look).nameTextStyle},
    yAxis: {...axis(look), type: 'category', data: rows.map((row) => row.name), inverse: true, splitLine: {show: false},
      axisLabel: {...axis(look).axisLabel, width: narrow ? 100 : 190, overflow: 'truncate', color: look.colour('ink')}},
    tooltip: {
      ...common.tooltip, trigger: 'axis', axisPointer: {type: 'shadow', shadowStyle: {color: look.colour('faint'), opacity: 0.08}},
      formatter: (points) => {
        const row = rows[points[0].dataIndex];
        return `<div style="margin-bottom:4px"><b>${escape(row.name)}</b> <span style="color:${look.colour('soft')}">${escape(row.kind)}</span></div>` +
          tooltipRow(look.colour('useful'), 'got', `${hours(row.got)}, ${percent(row.gotShare)}`) +
          tooltipRow(look.colour('ink'), 'entitled to', `${hours(row.entitled)}, ${percent(row.entitledShare)}`) +
          tooltipRow('transparent', 'jobs', count(row.jobs));
      },
    },
    series: [
      {name: 'got', type: 'bar', barMaxWidth: 15, color: look.colour('useful'), itemStyle: {borderRadius: [0, 3, 3, 0]}, data: rows.map((row) => row.got)},
      {name: 'entitled to', type: 'scatter', symbol: 'rect', symbolSize: [3, 19], color: look.colour('ink'), z: 5, data: rows.map((row, index) => [row.entitled, index])},
    ],
  };
};

/** Bars of one measure by name. rows: [{name, value, note}] */
export const bars = (rows, {unit, colour}) => (look, narrow) => {
  const common = base(look, narrow);
  const all = rows.reduce((sum, row) => sum + row.value, 0);
  return {
    ...common,
    grid: {...common.grid, top: 8, right: narrow ? 60 : 74, bottom: 24},
    xAxis: {...valueAxis(look, unit, {axisLabel: {hideOverlap: true}}), nameLocation: 'middle', nameGap: 26, nameTextStyle: axis(look).nameTextStyle},
    yAxis: {...axis(look), type: 'category', data: rows.map((row) => row.name), inverse: true, splitLine: {show: false},
      axisLabel: {...axis(look).axisLabel, width: narrow ? 110 : 190, overflow: 'truncate', color: look.colour('ink')}},
    tooltip: {...common.tooltip, trigger: 'axis', axisPointer: {type: 'shadow', shadowStyle: {color: look.colour('faint'), opacity: 0.08}},
      formatter: (points) => {
        const row = rows[points[0].dataIndex];
        return `<b>${escape(row.name)}</b><br>${escape(`${number(row.value)} ${unit}`)}${row.note ? `<br>${escape(row.note)}` : ''}`;
      }},
    series: [{type: 'bar', barMaxWidth: 18, color: look.colour(colour), itemStyle: {borderRadius: [0, 3, 3, 0]}, data: rows.map((row) => row.value),
      label: {show: true, position: 'right', color: look.colour('soft'), fontSize: 12, formatter: (point) => percent(all > 0 ? point.value / all : 0)}}],
  };
};

/** Whole bars split by part. rows: names; parts: [{name, colour, values: shares}] */
export const splits = (names, parts) => (look, narrow) => {
  const common = base(look, narrow);
  return {
    ...common,
    grid: {...common.grid, top: narrow ? 60 : 38},
    xAxis: valueAxis(look, '', {max: 1, axisLabel: {formatter: (value) => `${Math.round(value * 100)}\u00a0%`}}),
    yAxis: {...axis(look), type: 'category', data: names, inverse: true, splitLine: {show: false}, axisLabel: {...axis(look).axisLabel, color: look.colour('ink')}},
    tooltip: {...common.tooltip, trigger: 'axis', axisPointer: {type: 'none'},
      formatter: (points) => `<div style="margin-bottom:4px"><b>${escape(points[0].name)}</b></div>` +
        points.map((point) => tooltipRow(point.color, point.seriesName, percent(point.value))).join('')},
    series: parts.map((part) => ({
      name: part.name, type: 'bar', stack: 'all', barMaxWidth: 26, color: look.colour(part.colour), data: part.values,
      itemStyle: {borderColor: look.colour('card'), borderWidth: 1},
    })),
  };
};

/** Bars of two runs side by side. */
export const pairs = (names, runs, {told}) => (look, narrow) => {
  const common = base(look, narrow);
  const most = Math.max(...runs.flatMap((run) => run.values), 1);
  const step = told === duration ? timeStep(most, 6) : undefined;
  return {
    ...common,
    xAxis: {...axis(look), type: 'category', data: names},
    yAxis: valueAxis(look, '', {axisLabel: {formatter: told}, ...(step ? {interval: step, max: Math.ceil(most / step) * step} : {})}),
    tooltip: {...common.tooltip, trigger: 'axis', axisPointer: {type: 'shadow'},
      formatter: (points) => `<b>${escape(points[0].name)}</b>` + points.map((point) => tooltipRow(point.color, point.seriesName, told(point.value))).join('')},
    series: runs.map((run) => ({name: run.name, type: 'bar', barMaxWidth: 26, color: look.colour(run.colour), itemStyle: {borderRadius: [3, 3, 0, 0]}, data: run.values})),
  };
};

const kSeries = ['one', 'two', 'three', 'four', 'five', 'useful', 'down', 'lost'];
const kShapes = ['circle', 'rect', 'triangle', 'diamond'];

/** Colour and shape of the series at `index`: 32 that differ. */
const seriesLook = (look, index) => ({
  color: look.colour(kSeries[index % kSeries.length]), symbol: kShapes[Math.floor(index / kSeries.length) % kShapes.length],
});

/**
 * Predicted over measured values, both logarithmic, with the diagonal and a band of `band` (0.1: 10 %) around it.
 * groups: [{name, points: [{measured, predicted, what, id}]}], all values above 0; span: [least, most] of both axes.
 */
export const predictedOverMeasured = (groups, {unit, span, band}) => (look, narrow) => {
  const common = base(look, narrow);
  const [least, most] = span;
  const scale = (name, extra) => ({
    ...axis(look), type: 'log', logBase: 10, min: least, max: most, name, nameLocation: 'middle', axisLine: {show: false},
    axisLabel: {...axis(look).axisLabel, formatter: (value) => (unit === 's' && value >= 1 ? `${short(value)}\u00a0s` : measure(value, unit)), hideOverlap: true}, ...extra,
  });
  return {
    ...common,
    grid: {...common.grid, top: 40, left: 26, bottom: 26},
    legend: {...common.legend, type: 'scroll', icon: undefined, data: groups.map((group) => group.name), pageIconColor: look.colour('soft'),
      pageIconInactiveColor: look.colour('rule'), pageTextStyle: {color: look.colour('soft')}},
    xAxis: scale('measured', {nameGap: 26}),
    yAxis: scale('predicted', {nameGap: narrow ? 46 : 54}),
    tooltip: {
      ...common.tooltip, trigger: 'item',
      formatter: ({data: point, seriesName, color}) => `<b>${escape(point.what)}</b> <span style="color:${look.colour('soft')}">${escape(point.id)}</span>` +
        tooltipRow(color, seriesName, '') + tooltipRow('transparent', 'measured', measure(point.value[0], unit)) +
        tooltipRow('transparent', 'predicted', measure(point.value[1], unit)) +
        tooltipRow('transparent', 'error', percent(point.value[1] / point.value[0] - 1)),
    },
    series: [
      {type: 'custom', name: 'band', silent: true, z: 1, clip: true, data: [[least, least]], tooltip: {show: false},
        renderItem: (params, api) => ({
          type: 'polygon', style: {fill: look.colour('useful'), opacity: 0.16},
          shape: {points: [[least, least * (1 - band)], [most, most * (1 - band)], [most, most * (1 + band)], [least, least * (1 + band)]].map((at) => api.coord(at))},
        })},
      {type: 'line', name: 'equal', silent: true, z: 2, symbol: 'none', color: look.colour('faint'), lineStyle: {width: 1}, tooltip: {show: false},
        data: [[least, least], [most, most]]},
      ...groups.map((group, index) => ({
        name: group.name, type: 'scatter', z: 3, symbolSize: 7, ...seriesLook(look, index), itemStyle: {opacity: 0.78},
        data: group.points.map((point) => ({value: [point.measured, point.predicted], what: point.what, id: point.id})),
      })),
    ],
  };
};

/** Mean errors with where they may lie, and those of the null model. rows: [{name, mean, low, high, null_mean, points}], low and high may be null. */
export const meanErrors = (rows, {most}) => (look, narrow) => {
  const common = base(look, narrow);
  const cut = (value) => Math.min(value, most);
  return {
    ...common,
    grid: {...common.grid, top: 34},
    legend: {...common.legend, data: ['model', 'null model'], icon: 'circle', itemWidth: 9, itemHeight: 9},
    xAxis: {...valueAxis(look, '', {max: most, axisLabel: {formatter: (value) => `${Math.round(value * 100)}\u00a0%`, hideOverlap: true}})},
    yAxis: {...axis(look), type: 'category', data: rows.map((row) => row.name), inverse: true, splitLine: {show: false},
      axisLabel: {...axis(look).axisLabel, width: narrow ? 120 : 260, overflow: 'truncate', color: look.colour('ink')}},
    tooltip: {...common.tooltip, trigger: 'axis', axisPointer: {type: 'shadow', shadowStyle: {color: look.colour('faint'), opacity: 0.08}},
      formatter: (points) => {
        const row = rows[points[0].dataIndex];
        return `<b>${escape(row.name)}</b> <span style="color:${look.colour('soft')}">${count(row.points)} points</span>` +
          tooltipRow(look.colour('useful'), 'model', percent(row.mean)) +
          (row.low === null ? '' : tooltipRow('transparent', '95 % of the mean', `${percent(row.low)} to ${percent(row.high)}`)) +
          tooltipRow(look.colour('lost'), 'null model', percent(row.null_mean));
      }},
    series: [
      {type: 'custom', name: 'interval', silent: true, z: 1, data: rows.map((row, index) => [index, cut(row.low ?? row.mean), cut(row.high ?? row.mean)]), encode: {y: 0, x: [1, 2]},
        renderItem: (params, api) => {
          const from = api.coord([api.value(1), api.value(0)]);
          const to = api.coord([api.value(2), api.value(0)]);
          return {type: 'rect', shape: {x: from[0], y: from[1] - 2, width: Math.max(to[0] - from[0], 0), height: 4, r: 2}, style: {fill: look.colour('low')}};
        }},
      {name: 'null model', type: 'scatter', symbol: 'circle', symbolSize: 8, color: look.colour('lost'), z: 2, data: rows.map((row, index) => [cut(row.null_mean), index])},
      {name: 'model', type: 'scatter', symbol: 'circle', symbolSize: 10, color: look.colour('useful'), z: 3, data: rows.map((row, index) => [cut(row.mean), index])},
    ],
  };
};

/** Draws `option` (a function of look and narrowness) into `element`, `height` pixels high. */
export const mount = (element, option, {height, overTime: linked = false, label}) => {
  element.style.height = `${height}px`;
  element.setAttribute('role', 'img');
  const chart = echarts.init(element, null, {renderer: 'svg', width: Math.max(element.clientWidth, 200), height});
  const draw = () => {
    const width = Math.max(element.clientWidth, 200);
    chart.resize({width, height});
    chart.setOption(option(theme(), width < 520), true);
    element.setAttribute('aria-label', label);  // ECharts puts its own longer one; the table below says all.
  };
  draw();
  if (linked) chart.group = kTimeGroup;
  mounted.push({element, draw});
};

export const settle = () => {
  echarts.connect(kTimeGroup);
  const redraw = () => mounted.forEach(({draw}) => draw());
  let due = 0;
  addEventListener('resize', () => {
    cancelAnimationFrame(due);
    due = requestAnimationFrame(redraw);
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
  const printing = (on) => () => {
    document.documentElement.classList.toggle('printing', on);
    redraw();
  };
  addEventListener('beforeprint', printing(true));
  addEventListener('afterprint', printing(false));
};
