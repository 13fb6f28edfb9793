// Validates GraphQL documents against GitHub's public schema.
//
// usage: check-graphql.js NODE_MODULES, with the documents' paths on standard input

'use strict';

const fs = require('fs');
const path = require('path');

const modules = path.resolve(process.argv[2]);
const { buildSchema, parse, validate } = require(path.join(modules, 'graphql'));
const octokit = path.join(modules, '@octokit', 'graphql-schema');
const version = require(path.join(octokit, 'package.json')).version;
// What GitHub publishes is taken as it is: it defines a field twice now and then.
const trust = { assumeValid: true, assumeValidSDL: true };
const schema = buildSchema(fs.readFileSync(path.join(octokit, 'schema.graphql'), 'utf8'), trust);

const documents = fs.readFileSync(0, 'utf8').split('\n').filter(Boolean);
let failed = documents.length === 0;
if (failed) {
  console.error('no documents');
}
for (const file of documents) {
  let errors;
  let operations = 0;
  try {
    const document = parse(fs.readFileSync(file, 'utf8'));
    operations = document.definitions.filter((it) => it.kind === 'OperationDefinition').length;
    errors = validate(schema, document);
  } catch (error) {
    errors = [error];
  }
  for (const error of errors) {
    const at = error.locations ? `:${error.locations[0].line}` : '';
    console.error(`${file}${at}: ${error.message}`);
  }
  failed = failed || errors.length > 0;
  const verdict = errors.length === 0 ? 'valid' : `${errors.length} errors`;
  console.log(`${file}: ${operations} operations, ${verdict} in @octokit/graphql-schema ${version}`);
}
process.exitCode = failed ? 1 : 0;
