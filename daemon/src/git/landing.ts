/** Moving one branch of the user's repository. The same value, read back from the journal, finishes or judges it after a crash. */
export interface Landing {
  /** Full name, such as `refs/heads/main`. */
  readonly ref: string;
  readonly from: string;
  readonly to: string;
  /** What the effect belongs to, such as the change id; stands in the lock file and the reflog. */
  readonly token: string;
}
