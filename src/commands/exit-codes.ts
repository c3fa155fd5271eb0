/** 0 done, 1 operating failure, 2 usage or configuration. */
export const exitFailure = 1;
export const exitUsage = 2;
