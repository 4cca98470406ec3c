// Asks @odata/parser what it takes for a $filter, and @odata/client for filters that it
// writes itself. Reads a JSON list of filters from standard input.
'use strict';

const { defaultParser } = require('@odata/parser');
const { ODataFilter } = require('@odata/client');

function takes(filter) {
  try {
    defaultParser.filter(filter);
    return true;
  } catch {
    return false;
  }
}

const asked = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const written = {
  'equal texts and numbers': new ODataFilter().field('state').eq("'resolved'").field('severity').eq(2).build(),
  'one of two numbers': new ODataFilter().field('severity').in([1, 2]).build(),
  'between two numbers': new ODataFilter().field('severity').between(2, 3).build(),
  'greater than': new ODataFilter().field('severity').gt(2).build(),
  'a part of a text': new ODataFilter().property("contains(title,'Two')").eq(true).build(),
};
process.stdout.write(JSON.stringify({ taken: Object.fromEntries(asked.map((f) => [f, takes(f)])), written }));
