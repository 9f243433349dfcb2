// The views that come when they are opened.

import { later } from './later.tsx';

export const SettingsView = later(() => import('./settings.tsx').then((m) => m.Settings));
export const UserDialog = later(() => import('./user_dialog.tsx').then((m) => m.UserDialog));
export const ChannelDialog = later(() => import('./channel_dialog.tsx').then((m) => m.ChannelDialog));
export const NewGroup = later(() => import('./new_group.tsx').then((m) => m.NewGroup));
export const AddMembers = later(() => import('./new_group.tsx').then((m) => m.AddMembers));
export const MessageInfo = later(() => import('./message_info.tsx').then((m) => m.MessageInfo));
export const JumpDialog = later(() => import('./jump_dialog.tsx').then((m) => m.JumpDialog));
export const JoinDialog = later(() => import('./join_dialog.tsx').then((m) => m.JoinDialog));
export const ShortcutsDialog = later(() => import('./shortcuts_dialog.tsx').then((m) => m.ShortcutsDialog));
export const DeleteAccount = later(() => import('./account_dialogs.tsx').then((m) => m.DeleteAccount));
export const ChangePassword = later(() => import('./account_dialogs.tsx').then((m) => m.ChangePassword));
