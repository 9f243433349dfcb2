// What is not needed for the first sight comes when it is opened.

import type { ComponentType } from 'preact';
import { lazy, Suspense } from 'preact/compat';

function later<P extends object>(load: () => Promise<ComponentType<P>>): (props: P) => preact.JSX.Element {
  const View = lazy(() => load().then((view) => ({ default: view }))) as ComponentType<P>;
  return (props) => (
    <Suspense fallback={null}>
      <View {...props} />
    </Suspense>
  );
}

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
