import { setDefaultTimeout } from "bun:test";

/** Tests wait for facts and fail by themselves; this is for one that hangs. */
setDefaultTimeout(30_000);
