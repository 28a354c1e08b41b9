import { networkInterfaces } from 'node:os';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isPublicAddress } from './public-address.ts';

const v4 = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255));
const hex = (a: number, b: number): string => (a * 256 + b).toString(16);

describe('isPublicAddress', () => {
  it.each([
    '127.0.0.1',
    '127.8.8.8',
    '0.0.0.0',
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '100.100.100.200',
    '192.0.0.192',
    '168.63.129.16',
    '198.18.0.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::7f00:1',
    '::ffff:127.0.0.1',
    '::ffff:10.0.0.1',
    'fe80::1',
    'fe80::1%eth0',
    'fc00::1',
    'fd00:ec2::254',
    'fec0::1',
    'ff02::1',
    '64:ff9b::7f00:1',
    '64:ff9b::a9fe:a9fe',
    '64:ff9b:1::808:808',
    '2002:7f00:1::',
    '2002:c0a8:101::1',
    '2001::1',
    '2001:db8::1',
    '100::1',
    'localhost',
    '',
    '0x7f.1',
  ])('refuses %s', (address) => expect(isPublicAddress(address)).toBe(false));

  it.each(['8.8.8.8', '1.1.1.1', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '::ffff:8.8.8.8', '64:ff9b::808:808', '2002:808:808::1'])(
    'lets %s pass',
    (address) => expect(isPublicAddress(address)).toBe(true),
  );

  it('refuses every address of this machine', () => {
    for (const { address } of Object.values(networkInterfaces()).flatMap((all) => all ?? [])) expect(isPublicAddress(address)).toBe(false);
  });

  it('judges an IPv4 address inside an IPv6 one as it judges it alone', () => {
    fc.assert(
      fc.property(v4, ([a, b, c, d]) => {
        const alone = isPublicAddress(`${a}.${b}.${c}.${d}`);
        const low = `${hex(a, b)}:${hex(c, d)}`;
        for (const form of [`::ffff:${low}`, `64:ff9b::${low}`, `2002:${low}::1`]) expect(isPublicAddress(form)).toBe(alone);
      }),
      { numRuns: 300 },
    );
  });
});
