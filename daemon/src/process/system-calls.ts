import { arch } from 'node:os';

/** One ABI that a kernel may take system calls by. Numbers are those of the kernel's own tables. */
interface Abi {
  /** `AUDIT_ARCH_*`. */
  readonly audit: number;
  readonly denied: readonly number[];
  readonly socket: number;
  /** Numbers from here on are another table in disguise (x32), which nothing needs. */
  readonly end?: number;
}

/** io_uring_setup, io_uring_enter and io_uring_register have the same numbers everywhere. */
const IO_URING = [425, 426, 427];

/** In each: add_key, request_key, keyctl, perf_event_open, bpf, userfaultfd, open_by_handle_at. */
const X86_64: Abi = { audit: 0xc000003e, denied: [248, 249, 250, 298, 321, 323, 304, ...IO_URING], socket: 41, end: 0x40000000 };
/** Here also socketcall, whose arguments a filter cannot see; programs of the last ten years do not use it. */
const I386: Abi = { audit: 0x40000003, denied: [286, 287, 288, 336, 357, 374, 342, 102, ...IO_URING], socket: 359 };
const ARM64: Abi = { audit: 0xc00000b7, denied: [217, 218, 219, 241, 280, 282, 265, ...IO_URING], socket: 198 };
const ARM: Abi = { audit: 0x40000028, denied: [309, 310, 311, 364, 386, 388, 371, ...IO_URING], socket: 281 };

const ABIS: Readonly<Record<string, readonly Abi[]>> = { x64: [X86_64, I386], arm64: [ARM64, ARM] };

/** Talks to the host of a virtual machine, and belongs to no network namespace. */
const AF_VSOCK = 40;

const LOAD = 0x20;
const IF_EQUAL = 0x15;
const IF_AT_LEAST = 0x35;
const RETURN = 0x06;
const ALLOW = 0x7fff0000;
const NOT_PERMITTED = 0x00050001;
/** Offsets into `struct seccomp_data`: number, ABI, the low half of the first argument. */
const NUMBER = 0;
const AUDIT = 4;
const FIRST_ARGUMENT = 16;

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, k: number];

const denyWhen = (code: number, value: number): Instruction[] => [
  [code, 0, 1, value],
  [RETURN, 0, 0, NOT_PERMITTED],
];

const filterFor = ({ denied, socket, end }: Abi): Instruction[] => [
  [LOAD, 0, 0, NUMBER],
  ...(end === undefined ? [] : denyWhen(IF_AT_LEAST, end)),
  ...denied.flatMap((number) => denyWhen(IF_EQUAL, number)),
  [IF_EQUAL, 1, 0, socket],
  [RETURN, 0, 0, ALLOW],
  [LOAD, 0, 0, FIRST_ARGUMENT],
  ...denyWhen(IF_EQUAL, AF_VSOCK),
  [RETURN, 0, 0, ALLOW],
];

const encode = (program: readonly Instruction[]): Buffer => {
  const bytes = Buffer.alloc(program.length * 8);
  for (const [at, [code, ifTrue, ifFalse, k]] of program.entries()) {
    bytes.writeUInt16LE(code, at * 8);
    bytes.writeUInt8(ifTrue, at * 8 + 2);
    bytes.writeUInt8(ifFalse, at * 8 + 3);
    bytes.writeUInt32LE(k, at * 8 + 4);
  }
  return bytes;
};

/**
 * A seccomp program, as the kernel reads it, against what no namespace closes: the keyrings of whoever started the daemon, which every
 * descendant possesses; sockets to the host of a virtual machine; and kernel interfaces whose faults have let programs out before.
 * Undefined on processors whose numbers are not written here.
 */
export const systemCallFilter = (processor: string = arch()): Buffer | undefined => {
  const abis = ABIS[processor];
  if (!abis) return undefined;
  const program = abis.flatMap((abi): Instruction[] => {
    const filter = filterFor(abi);
    return [[LOAD, 0, 0, AUDIT], [IF_EQUAL, 0, filter.length, abi.audit], ...filter];
  });
  return encode([...program, [RETURN, 0, 0, NOT_PERMITTED]]);
};
