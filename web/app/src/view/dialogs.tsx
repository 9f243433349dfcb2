// The dialog that is open; one about a conversation goes with it.

import { useLayoutEffect } from 'preact/hooks';
import { channelOf } from '../model/chat.ts';
import { closeDialog, dialog } from '../model/ui.ts';
import { DeleteMessage } from './delete_message.tsx';
import {
  AddMembers,
  ChangePassword,
  ChannelDialog,
  DeleteAccount,
  JumpDialog,
  MessageInfo,
  NewGroup,
  ShortcutsDialog,
  UserDialog,
} from './lazy_views.tsx';
import { NewChat } from './new_chat.tsx';

export function Dialogs() {
  const open = dialog.value;
  const onClose = closeDialog;
  const gone = !!open && 'channel' in open && !channelOf(open.channel);
  // at once: keys are the page's again as soon as it is not seen any more
  useLayoutEffect(() => {
    if (gone) closeDialog();
  }, [gone]);
  // nor does one outlast the login
  useLayoutEffect(() => () => closeDialog(), []);
  switch (open?.kind) {
    case 'user':
      return <UserDialog key={open.user} user={open.user} onClose={onClose} />;
    case 'channel':
      return <ChannelDialog channel={open.channel} onClose={onClose} />;
    case 'new-chat':
      return <NewChat onClose={onClose} />;
    case 'new-group':
      return <NewGroup onClose={onClose} />;
    case 'add-members':
      return <AddMembers channel={open.channel} onClose={onClose} />;
    case 'message-info':
      return <MessageInfo channel={open.channel} id={open.message} onClose={onClose} />;
    case 'delete-message':
      return <DeleteMessage channel={open.channel} id={open.message} onClose={onClose} />;
    case 'jump':
      return <JumpDialog onClose={onClose} />;
    case 'shortcuts':
      return <ShortcutsDialog onClose={onClose} />;
    case 'delete-account':
      return <DeleteAccount onClose={onClose} />;
    case 'password':
      return <ChangePassword onClose={onClose} />;
    default:
      return null;
  }
}
