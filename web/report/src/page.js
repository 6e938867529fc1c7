// Small pieces of the page: elements, cards, tables, key figures.

/** An element with attributes and children; text is text, never markup. */
export const el = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
};

/** header: [text]; rows: [[text]]; the first column names its row. */
export const table = (header, rows, caption) => el('div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption},
  el('table', {},
    el('thead', {}, el('tr', {}, header.map((cell) => el('th', {scope: 'col'}, cell)))),
    el('tbody', {}, rows.map((row) => el('tr', {}, row.map((cell, column) => (column === 0 ? el('th', {scope: 'row'}, cell) : el('td', {}, cell))))))));

/** A titled chart with a line on what it shows and its numbers behind it. `draw(element)` runs once it is in the page. */
export const card = (parent, {id, title, text, wide = false, data}, draw) => {
  const chart = el('div', {class: 'chart', 'data-chart': id});
  const section = el('section', {class: wide ? 'card wide' : 'card', 'aria-labelledby': `${id}-title`},
    el('h3', {id: `${id}-title`}, title), el('p', {}, text), chart,
    data ? el('details', {}, el('summary', {}, 'The numbers'), data) : null);
  parent.append(section);
  draw(chart);
  return section;
};

export const figures = (list) => el('dl', {class: 'figures'}, list.map(({name, value, unit, note}) =>
  el('div', {class: 'figure'}, el('dt', {}, name),
    el('dd', {class: 'value'}, value, unit ? el('small', {}, `\u00a0${unit}`) : null), note ? el('dd', {class: 'note'}, note) : null)));

export const part = (parent, title) => {
  const grid = el('div', {class: 'grid'});
  parent.append(el('h2', {class: 'part'}, title), grid);
  return grid;
};
