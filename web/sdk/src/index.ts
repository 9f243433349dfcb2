export { Chat } from './chat.ts';
export { ChatError } from './errors.ts';
export type * from './types.ts';
export type * from './protocol.ts';
