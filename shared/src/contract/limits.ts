interface Limit {
  readonly value: number;
  readonly unit: 'bytes' | 'ms' | 'items' | 'per_minute' | 'characters' | 'levels' | 'days';
  readonly why: string;
}

const limit = (value: number, unit: Limit['unit'], why: string): Limit => ({ value, unit, why });
const KiB = 1024;
const MiB = 1024 * KiB;

/** Every rate, size, count and time of Fairlead, with its unit and reason. Code reads `LIMITS.name.value`. */
export const LIMITS = {
  json_depth: limit(32, 'levels', 'deeper documents are attacks, not tasks'),
  request_body: limit(8 * MiB, 'bytes', 'a task with a large patch fits; a flood does not'),
  inline_json: limit(4 * MiB, 'bytes', 'larger answers travel as a byte stream on the wire'),
  wire_frame: limit(12 * MiB, 'bytes', 'a request of the largest body, escaped, in one frame'),
  wire_chunk: limit(64 * KiB, 'bytes', 'one binary frame of a stream'),
  wire_credit: limit(MiB, 'bytes', 'unacknowledged bytes of one stream, so that any artifact passes in bounded memory'),
  wire_pending: limit(512, 'items', 'requests in flight on one connector session'),
  wire_pending_per_instance: limit(128, 'items', 'so that one noisy instance cannot fill a session'),
  handshake: limit(10_000, 'ms', 'deadline of the whole handshake'),
  heartbeat: limit(15_000, 'ms', 'interval of pings; a silent peer is closed after three'),
  reconnect_base: limit(500, 'ms', 'first reconnect delay, doubled with full jitter'),
  reconnect_cap: limit(30_000, 'ms', 'largest reconnect delay'),
  session_lived: limit(30_000, 'ms', 'a session of this age resets the reconnect delay'),
  request_deadline: limit(30_000, 'ms', 'a plain operation through all parts'),
  slow_deadline: limit(120_000, 'ms', 'operations that run git or validations before they answer'),
  stream_deadline: limit(3_600_000, 'ms', 'one download or event stream'),
  wait_default: limit(25_000, 'ms', 'hosted planners cut a call after about a minute'),
  wait_max: limit(45_000, 'ms', 'the longest single wait'),
  wait_progress: limit(10_000, 'ms', 'progress at least this often in a wait'),
  page_default: limit(50, 'items', 'rows of a list answer'),
  page_max: limit(500, 'items', 'largest list answer'),
  audit_read_delay: limit(50, 'ms', 'reads are committed to the audit within this time'),
  enrollment_token_life: limit(600_000, 'ms', 'a one-time token is used at once or made again'),
  grant_days: limit(30, 'days', 'how long a grant lasts unless the owner says otherwise'),
  delegation_days: limit(30, 'days', 'how long a delegation proves the right to serve an instance'),
  planner_rate: limit(6000, 'per_minute', 'requests of one planner token'),
  unauthenticated_rate: limit(120, 'per_minute', 'failed sign-ins, handshakes and enrolments of one address'),
  title: limit(200, 'characters', 'a title is a line'),
  text: limit(256 * KiB, 'characters', 'goal, context and other prose of a task'),
  patch: limit(6 * MiB, 'bytes', 'a planner-supplied patch'),
  list: limit(200, 'items', 'entries of one list in a task or policy'),
  pattern: limit(512, 'characters', 'one path pattern'),
  queue: limit(1000, 'items', 'steps that wait in one daemon'),
  step_timeout_default: limit(3_600_000, 'ms', 'a step that names no timeout'),
  step_timeout_max: limit(86_400_000, 'ms', 'the longest step'),
  validation_timeout: limit(600_000, 'ms', 'a validation that names no timeout'),
  stop_grace: limit(5_000, 'ms', 'between TERM and KILL'),
  stop_confirm: limit(10_000, 'ms', 'after KILL, until a stop counts as unconfirmed'),
  output_captured: limit(64 * MiB, 'bytes', 'stdout and stderr of one process that are kept'),
  output_tail: limit(4 * KiB, 'bytes', 'the end of an output that is shown in place'),
  artifact: limit(2048 * MiB, 'bytes', 'one artifact'),
  artifacts_per_attempt: limit(200, 'items', 'files that one attempt may put into $FAIRLEAD_OUT'),
  snapshot_file: limit(100 * MiB, 'bytes', 'one file of a snapshot, checked by lstat before it is hashed'),
  provision_bytes: limit(4096 * MiB, 'bytes', 'what provisioning copies into one checkout; a larger folder is mounted read-only'),
  provision_entries: limit(400_000, 'items', 'files and folders that provisioning copies into one checkout'),
  snapshot_files: limit(50_000, 'items', 'changed files of one snapshot'),
  file_read: limit(512 * KiB, 'bytes', 'one read_file answer'),
  files_listed: limit(5_000, 'items', 'entries of one list_files answer'),
  search_matches: limit(200, 'items', 'matches of one search_files answer'),
  log_page: limit(64 * KiB, 'bytes', 'one get_step_logs answer'),
  change_files_soft: limit(40, 'items', 'changed files above which a gate opens'),
  change_lines_soft: limit(1500, 'items', 'changed lines above which a gate opens'),
  change_files_hard: limit(2_000, 'items', 'changed files above which the fence fails'),
  change_lines_hard: limit(100_000, 'items', 'changed lines above which the fence fails'),
  gate_life: limit(14, 'days', 'a gate that nobody decides expires'),
} as const satisfies Record<string, Limit>;

export type LimitName = keyof typeof LIMITS;
