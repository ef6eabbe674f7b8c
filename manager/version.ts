/** What `ctr version` shows for the server. */
export const VERSION = '0.1.0+berth'
/** The source revision is not known to a build from a plain tree. */
export const REVISION = ''
