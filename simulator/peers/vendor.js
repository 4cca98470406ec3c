// Uses the vendor's side as @odata/client does, and prints what it says as one JSON object.
'use strict';

const { OData, ODataFilter } = require('@odata/client');

const { SERVICE, TOKEN } = process.env;

async function main() {
  const client = OData.New4({
    serviceEndpoint: SERVICE,
    fetchProxy: async (url, init) => {
      const response = await fetch(url, { ...init, headers: { ...init.headers, Authorization: `Bearer ${TOKEN}` } });
      return { content: await response.json(), response };
    },
  });
  const tickets = client.getEntitySet('tickets');
  const titles = (list) => list.map((ticket) => ticket.title);
  const out = {};
  out.all = titles(await tickets.query());
  out.first = await tickets.query(client.newParam().top(1).skip(1).orderby('title', 'desc')).then(titles);
  out.severe = await tickets.query(client.newParam().filter(new ODataFilter().field('severity').eq(2))).then(titles);
  out.key = (await tickets.retrieve(process.env.TICKET)).title;
  out.missing = await tickets.retrieve('MMD-0-NONE').then(() => 'found', (error) => error.message);
  process.stdout.write(JSON.stringify(out));
}

main();
