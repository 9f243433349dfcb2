import { chat } from '../model/chat.ts';
import { attempt } from '../model/errors.ts';
import { Confirm } from './dialog.tsx';

interface DeleteMessageProps {
  channel: string;
  id: number;
  onClose: () => void;
}

export function DeleteMessage({ channel, id, onClose }: DeleteMessageProps) {
  return (
    <Confirm title="Delete this message?" action="Delete" danger onClose={onClose} onConfirm={() => void attempt(() => chat.delete(channel, id))}>
      It is deleted for everybody, and cannot be brought back.
    </Confirm>
  );
}
