// Bundles the page into one HTML file with everything inside but the data: node build.mjs OUTPUT_FILE
import {build} from 'esbuild';
import {mkdir, readFile, writeFile} from 'node:fs/promises';
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
    legalComments: 'none',
    target: ['chrome100', 'firefox100', 'safari15'],
    ...extra,
  });
  return result.outputFiles[0].text;
};

const script = await bundle('main.js', {format: 'iife', define: {'process.env.NODE_ENV': '"production"'}});
const style = await bundle('style.css', {loader: {'.css': 'css'}});
const template = await readFile(`${here}/src/template.html`, 'utf8');

// A function as replacement: `$` in the code must not be read as a pattern.
const page = template
    .replace('/*STYLE*/', () => style.replaceAll('</style', '<\\/style'))
    .replace('/*SCRIPT*/', () => script.replaceAll('</script', '<\\/script'));
if (page.split('@GIGAWERK_DATA@').length !== 2) throw new Error('the page must hold @GIGAWERK_DATA@ exactly once');
await mkdir(dirname(output), {recursive: true});
await writeFile(output, page);
