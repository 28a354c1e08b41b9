import { expect, it } from 'vitest';
import { beneathIn } from './mount-table.ts';

const TABLE = String.raw`24 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
25 24 0:22 / /proc rw,nosuid,nodev,noexec - proc proc rw
30 24 0:30 / /home rw,nosuid,noexec shared:2 master:1 - ext4 /dev/vdb rw
31 30 0:31 / /home/ada/two\040words rw - tmpfs tmpfs rw
32 30 0:32 / /home/ada2 rw - tmpfs tmpfs rw
33 31 0:33 / /home/ada/two\040words/inner ro,noexec - tmpfs tmpfs rw
34 24 0:34 / /home rw - tmpfs over rw
`;

it('tells what is mounted deeper, and what of it is not to be executed', () => {
  expect(beneathIn(TABLE, '/home/ada')).toEqual({
    noexec: false,
    deeper: [
      { path: 'two words', noexec: false },
      { path: 'two words/inner', noexec: true },
    ],
  });
  expect(beneathIn(TABLE, '/proc')).toEqual({ noexec: true, deeper: [] });
  expect(beneathIn(TABLE, '/usr')).toEqual({ noexec: false, deeper: [] });
  expect(beneathIn(TABLE, '/').deeper.map(({ path }) => path)).toEqual([
    'proc',
    'home',
    'home/ada/two words',
    'home/ada2',
    'home/ada/two words/inner',
    'home',
  ]);
  expect(beneathIn('', '/usr')).toEqual({ noexec: false, deeper: [] });
});
