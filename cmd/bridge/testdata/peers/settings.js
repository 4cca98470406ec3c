// Nothing but the flow: no editor, no admin interface.
module.exports = {
  uiHost: "127.0.0.1", uiPort: 0, httpAdminRoot: false, httpNodeRoot: false, flowFile: "flow.json", credentialSecret: false,
  logging: { console: { level: "warn", metrics: false, audit: false } },
};
