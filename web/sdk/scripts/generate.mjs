// Writes src/protocol.ts: the types of docs/openrpc.json.  With --check it only tells whether the file
// is what it would write.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = new URL('.', import.meta.url);
const source = new URL('../../../docs/openrpc.json', here);
const target = new URL('../src/protocol.ts', here);

const indent = (text) => text.replace(/\n/g, '\n  ');
const key = (name) => (/^[A-Za-z_]\w*$/.test(name) ? name : JSON.stringify(name));
const comment = (text) => (text ? `/** ${text.replace(/\*\//g, '* /')} */\n` : '');
// a browser has an Event of its own
const named = (name) => (name === 'Event' ? 'InboxEvent' : name);
const pascal = (name) => name.replace(/(^|[._])(\w)/g, (_, dot, letter) => letter.toUpperCase());

function objectType(schema) {
  const required = new Set(schema.required ?? []);
  const lines = Object.entries(schema.properties ?? {}).map(
    ([name, value]) => comment(value.description) + `${key(name)}${required.has(name) ? '' : '?'}: ${type(value)};`,
  );
  return lines.length ? `{\n  ${indent(lines.join('\n'))}\n}` : 'Record<string, never>';
}

function type(schema) {
  if (schema.$ref) return named(schema.$ref.split('/').pop());
  if ('const' in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((v) => JSON.stringify(v)).join(' | ');
  if (schema.oneOf) return schema.oneOf.map(type).join(' | ');
  if (Array.isArray(schema.type)) return schema.type.map((t) => type({ ...schema, type: t })).join(' | ');
  switch (schema.type) {
    case 'integer':
    case 'number':
      return 'number';
    case 'string':
      return 'string';
    case 'boolean':
      return 'boolean';
    case 'null':
      return 'null';
    case 'array': {
      const item = type(schema.items ?? {});
      return /^\w+$/.test(item) ? `${item}[]` : `(${item})[]`;
    }
    case 'object':
      return objectType(schema);
    default:
      return 'unknown';
  }
}

function declare(name, schema, description) {
  const head = comment(description ?? schema.description);
  return schema.type === 'object' && Object.keys(schema.properties ?? {}).length
    ? `${head}export interface ${name} ${objectType(schema)}`
    : `${head}export type ${name} = ${type(schema)};`;
}

export function generate(document) {
  const descriptors = document.components.contentDescriptors;
  const params = (method) =>
    method.params.map((p) => (p.$ref ? descriptors[p.$ref.split('/').pop()] : p));
  const parts = ['// Generated from docs/openrpc.json by scripts/generate.mjs; not to be edited.'];

  for (const [name, schema] of Object.entries(document.components.schemas)) {
    parts.push(declare(named(name), schema));
  }

  const methods = document.methods.filter((m) => !m['x-notification']);
  const notifications = document.methods.filter((m) => m['x-notification']);
  // what is relayed live is a method and a notification of one name
  const relayed = methods.filter((m) => params(m).some((p) => /what the server sends/.test(p.description ?? '')));

  const own = (m) => (relayed.includes(m) ? params(m).filter((p) => !/what the server sends/.test(p.description ?? '')) : params(m));
  const shape = (list) => ({
    type: 'object',
    properties: Object.fromEntries(list.map((p) => [p.name, { description: p.description, ...p.schema }])),
    required: list.filter((p) => p.required).map((p) => p.name),
  });

  for (const m of methods) {
    parts.push(declare(`${pascal(m.name)}Params`, shape(own(m)), m.summary));
    parts.push(declare(`${pascal(m.name)}Result`, m.result.schema, ''));
  }
  for (const m of notifications) parts.push(declare(`${pascal(m.name)}Event`, shape(params(m)), m.summary));
  for (const m of relayed) {
    const all = shape(params(m));
    parts.push(declare(`${pascal(m.name)}Event`, { ...all, required: Object.keys(all.properties) }, m.summary));
  }

  const table = (rows) => rows.map((row) => `  ${row}`).join('\n');
  parts.push(
    `/** Every method: what it takes and answers. */\nexport interface Methods {\n${table(
      methods.map((m) => `${key(m.name)}: { params: ${pascal(m.name)}Params; result: ${pascal(m.name)}Result };`),
    )}\n}`,
  );
  parts.push(
    `/** Every notification of the server. */\nexport interface Notifications {\n${table(
      [...notifications, ...relayed].map((m) => `${key(m.name)}: ${pascal(m.name)}Event;`),
    )}\n}`,
  );
  const keyed = methods.filter((m) => params(m).some((p) => p.name === 'client_id'));
  parts.push(
    `/** Methods that take a client_id: repeated with the same one they are done once. */\nexport type TakesClientId =\n${keyed
      .map((m) => `  | '${m.name}'`)
      .join('\n')};`,
  );
  return parts.join('\n\n') + '\n';
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const text = generate(JSON.parse(readFileSync(source, 'utf8')));
  if (process.argv.includes('--check')) {
    if (readFileSync(target, 'utf8') !== text) {
      console.error('src/protocol.ts is not what docs/openrpc.json says; run `npm run generate -w sdk`');
      process.exit(1);
    }
  } else {
    writeFileSync(target, text);
  }
}
