// Bundles the page into one HTML file with everything inside but the data: node build.mjs OUTPUT_FILE
import {build} from 'esbuild';
import {mkdir, readdir, readFile, writeFile} from 'node:fs/promises';
import {dirname} from 'node:path';
import {fileURLToPath} from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const output = process.argv[2] ?? `${here}/report.html.in`;

const bundle = async (entry, extra) => {
  const result = await build({
    entryPoints: [`${here}/src/${entry}`],
    bundle: true,
    minify: true,
    write: false,
    charset: 'ascii',
    legalComments: 'inline',
    metafile: true,
    target: ['chrome100', 'firefox100', 'safari15'],
    ...extra,
  });
  return {text: result.outputFiles[0].text, inputs: Object.keys(result.metafile.inputs)};
};

// Licences ask that their texts go with the code, minified or not: those of every package in the page.
const licences = async (inputs) => {
  const packages = new Set(inputs.map((path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]).filter(Boolean));
  const texts = [];
  for (const folder of [...packages].sort()) {
    const files = (await readdir(folder)).filter((name) => /^(licen[cs]e|notice|copyrightnotice)(\.(txt|md))?$/i.test(name)).sort();
    const more = await readdir(`${folder}/licenses`).catch(() => []);  // Of what a package holds itself, as ECharts d3.
    files.push(...more.sort().map((name) => `licenses/${name}`));
    if (files.length === 0) throw new Error(`${folder} has no licence file`);
    for (const file of files) texts.push(`${folder.replace(/^.*node_modules\//, '')}, ${file}\n\n${(await readFile(`${folder}/${file}`, 'utf8')).trim()}`);
  }
  // "--" may not stand in an HTML comment.
  return `<!--\nThis page holds the following software of others.\n\n${texts.join(`\n\n${'='.repeat(78)}\n\n`).replaceAll('--', '- -')}\n-->\n`;
};

const {text: script, inputs} = await bundle('main.js', {format: 'iife', define: {'process.env.NODE_ENV': '"production"'}});
const {text: style} = await bundle('style.css', {loader: {'.css': 'css'}});
const template = await readFile(`${here}/src/template.html`, 'utf8');

// A function as replacement: `$` in the code must not be read as a pattern.
const page = template
    .replace('/*STYLE*/', () => style.replaceAll('</style', '<\\/style'))
    .replace('/*SCRIPT*/', () => script.replaceAll('</script', '<\\/script')) + await licences(inputs);
if (page.split('@GIGAWERK_DATA@').length !== 2) throw new Error('the page must hold @GIGAWERK_DATA@ exactly once');
await mkdir(dirname(output), {recursive: true});
await writeFile(output, page);
