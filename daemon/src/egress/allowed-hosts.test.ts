import { describe, expect, it } from 'vitest';
import { anyHost, listedHosts, readDestination } from './allowed-hosts.ts';

describe('readDestination', () => {
  it.each([
    ['example.org:443', { host: 'example.org', port: 443 }],
    ['EXAMPLE.org.:80', { host: 'example.org', port: 80 }],
    ['[2606:4700::1111]:443', { host: '2606:4700::1111', port: 443 }],
    ['10.0.0.1:8080', { host: '10.0.0.1', port: 8080 }],
  ])('reads %s', (text, found) => expect(readDestination(text)).toEqual(found));

  it.each([
    'example.org',
    ':443',
    'a:0',
    'a:65536',
    'a:4x',
    'a b:443',
    'a\r\nb:443',
    'user@a:443',
    '::1:443',
    '[::1:443',
    '[nothex]:1',
    'ä.de:443',
    '-a.de:1',
  ])('refuses %j', (text) => expect(readDestination(text)).toBeUndefined());
});

describe('the rules', () => {
  const rule = listedHosts([
    'registry.example',
    '*.cdn.example',
    'db.example:5432',
    'db.example:5433',
    '*.deep.example:8443',
    '[2606:4700::1]',
  ]);
  it.each([
    ['registry.example', 443, undefined],
    ['registry.example', 80, undefined],
    ['registry.example', 22, 'port_not_listed'],
    ['evil-registry.example', 443, 'host_not_listed'],
    ['registry.example.evil', 443, 'host_not_listed'],
    ['a.cdn.example', 443, undefined],
    ['a.b.cdn.example', 443, undefined],
    ['cdn.example', 443, 'host_not_listed'],
    ['evilcdn.example', 443, 'host_not_listed'],
    ['db.example', 5433, undefined],
    ['db.example', 443, 'port_not_listed'],
    ['a.deep.example', 8443, undefined],
    ['a.deep.example', 443, 'port_not_listed'],
    ['2606:4700::1', 443, undefined],
    ['8.8.8.8', 443, 'host_not_listed'],
  ])('%s:%d is %s', (host, port, why) => expect(rule({ host, port })).toBe(why));

  it('lets any host pass on the ports of the web when open', () => {
    expect(anyHost({ host: 'a.example', port: 443 })).toBeUndefined();
    expect(anyHost({ host: 'a.example', port: 25 })).toBe('port_not_listed');
  });

  it.each(['', '*', '*.', 'https://a.example', 'a.*.example', 'a/b', '*.10.0.0.1', 'a:0'])('refuses the pattern %j', (text) =>
    expect(() => listedHosts([text])).toThrow(expect.objectContaining({ code: 'config_invalid' })),
  );
});
