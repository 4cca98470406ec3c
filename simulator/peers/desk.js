// Uses a desk as servicenow-rest-api does, and prints what it says as one JSON object.
'use strict';

console.log = console.error; // the client writes its addresses to standard output

const ServiceNow = require('servicenow-rest-api');

const { HOST, DESK_USER, DESK_PASSWORD } = process.env;

// ask calls one method; an error becomes its status and what the desk says of it.
function ask(client, method, ...args) {
  return new Promise((resolve) => {
    client[method](...args, (answer) => {
      if (answer instanceof Error) {
        const response = answer.response || {};
        resolve({ failed: response.status || answer.message, says: ((response.data || {}).error || {}).message });
        return;
      }
      resolve(answer);
    });
  });
}

async function main() {
  const desk = new ServiceNow(HOST, DESK_USER, DESK_PASSWORD);
  const stranger = new ServiceNow(HOST, DESK_USER, 'wrong');
  const fields = ['number', 'short_description', 'state', 'caller_id'];
  const out = {};
  out.list = await ask(desk, 'getTableData', fields, ['active=true', 'assignment_group.name=Microsoft Managed Desktop'], 'incident');
  out.none = await ask(desk, 'getTableData', fields, ['short_description=nobody calls it so'], 'incident');
  out.id = await ask(desk, 'getSysId', 'incident', 'INC0010001');
  out.created = await ask(desk, 'createNewTask', {
    short_description: 'From npm', impact: '2 - Medium', urgency: '1 - High', caller_id: 'Ada Byron', assignment_group: 'Microsoft Managed Desktop',
  }, 'incident');
  out.updated = await ask(desk, 'UpdateTask', 'incident', 'INC0010001', { state: 'In Progress', work_notes: 'Hello from npm' });
  out.notes = await ask(desk, 'getTableData', ['number', 'state', 'work_notes'], ['number=INC0010001'], 'incident');
  out.wrong = await ask(desk, 'getTableData', fields, [], 'no_such_table');
  out.stranger = await ask(stranger, 'getTableData', fields, [], 'incident');
  process.stdout.write(JSON.stringify(out));
}

main();
