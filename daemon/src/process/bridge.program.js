// Runs inside a sandbox as its first program, on the daemon's own node. It gives what it starts a few ports on a loopback
// that belongs to nobody else, each leading to a unix socket that is mounted in, and ends exactly as that program does.
// It depends on nothing but node, because nothing else is there. Arguments: a JSON document, then the argv to start.
import { spawn } from 'node:child_process';
import { connect, createServer } from 'node:net';
import { constants } from 'node:os';
import process from 'node:process';

const { forwards, env } = JSON.parse(process.argv[2]);
const [file, ...args] = process.argv.slice(3);

// A side that has gone in the middle takes the other with it; one that has ended in order lets the other finish.
const follow = (socket, other) => {
  socket.on('error', () => other.destroy());
  socket.on('close', () => {
    if (!other.writableEnded || !other.readableEnded) other.destroy();
  });
  socket.pipe(other);
};

const carry = (socket) => (near) => {
  const far = connect({ path: socket, allowHalfOpen: true });
  follow(near, far);
  follow(far, near);
};

const listen = ({ port, socket }) =>
  new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, carry(socket));
    server.once('error', reject);
    server.listen({ port, host: '127.0.0.1' }, resolve);
  });

const PASSED_ON = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGCONT', 'SIGALRM', 'SIGWINCH'];

const endBy = (signal) => {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  // Node itself ignores a few signals; the shell's way of saying it is what is left then.
  setTimeout(() => process.exit(128 + constants.signals[signal]), 50);
};

try {
  await Promise.all(forwards.map(listen));
} catch (error) {
  process.stderr.write(`fairlead: a port could not be forwarded: ${error.message}\n`);
  process.exit(126);
}
const child = spawn(file, args, { stdio: 'inherit', env: { ...process.env, ...env } });
child.once('error', (error) => {
  process.stderr.write(`fairlead: ${file} could not be started: ${error.code}\n`);
  process.exit(127);
});
for (const signal of PASSED_ON) process.on(signal, () => child.kill(signal));
child.once('exit', (code, signal) => (signal ? endBy(signal) : process.exit(code)));
