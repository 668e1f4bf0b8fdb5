// An in-memory session of express-session. Each request reads it, and the answer's body has the
// size of Rejoin's snapshot.
const express = require('express');
const session = require('express-session');

const body = Buffer.alloc(Number(process.argv[2]), ' ');
const app = express();
app.disable('etag');
app.use(session({ secret: 'a secret', resave: false, saveUninitialized: false }));
app.get('/enter', (request, response) => {
  request.session.nick = 'alice';
  response.end();
});
app.get('/session', (request, response) => {
  if (!request.session.nick) return response.status(401).end();
  response.type('application/json').send(body);
});
const server = app.listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
