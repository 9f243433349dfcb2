// The open conversation: head, messages, composer.

import { batch } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import { ChatError } from '@chat/sdk';
import { channelList, channelOf, chat, contacts, ready, state } from '../model/chat.ts';
import { closeConversation, jumpTo, nowChannel, open, openConversation, timelineVersion } from '../model/conversation.ts';
import { findHidden } from '../model/hidden.ts';
import { channelName, nameOf } from '../model/names.ts';
import { go, type Route } from '../model/route.ts';
import { openUser } from '../model/ui.ts';
import { attempt } from '../model/errors.ts';
import { Composer } from './composer.tsx';
import { ConversationHead } from './conversation_head.tsx';
import { History } from './history.tsx';

export function Conversation({ route }: { route: Route }) {
  void timelineVersion.value;
  const channel = route.channel ? channelOf(route.channel) : undefined;
  const key = route.channel ?? `to:${route.to}`;

  // a first message, from here or from the other, makes the channel
  void channelList.value;
  const made = route.to ? chat.direct(route.to)?.channel : undefined;

  useEffect(() => {
    if (!made) return;
    batch(() => {
      nowChannel(route.to!, made);
      go({ section: 'chats', channel: made }, true);
    });
  }, [made]);
  useEffect(() => {
    // there may be one that is hidden
    if (route.to && !made) void findHidden();
  }, [route.to, made]);
  useEffect(() => {
    openConversation(route.channel ? { channel: route.channel } : { to: route.to! });
  }, [key]);
  useEffect(() => {
    if (route.message) jumpTo(route.message);
  }, [key, route.message]);
  useEffect(() => closeConversation, []);

  const shown = open.value;
  if (!shown || shown.key !== key) return <section class="conversation" />;
  if (route.channel && !channel && ready.value) return <Unknown key={route.channel} channel={route.channel} />;

  const peer = route.to ?? channel?.peer;
  const members = channel ? channel.members.map((m) => m.user) : [];
  const name = channel ? channelName(channel) : nameOf(peer ?? '');
  return (
    <section class="conversation" aria-label={`Conversation: ${name}`}>
      <ConversationHead channel={channel} peer={peer} name={name} mutual={isMutual(peer)} />
      <History key={key} timeline={shown.timeline} />
      {peer && isBlocked(peer) ? (
        <BlockedLine user={peer} />
      ) : (
        <Composer
          place={key}
          to={route.channel ? { channel: route.channel } : { to: route.to! }}
          members={members}
          label={`Message to ${name}`}
        />
      )}
    </section>
  );
}

/** Whether both have written: from then on one may see the other's presence. */
function isMutual(peer: string | undefined): boolean {
  const senders = new Set(open.value?.timeline.messages.map((m) => m.sender));
  return !!peer && senders.has(peer) && senders.size > 1;
}

function isBlocked(user: string): boolean {
  return contacts.value.some((c) => c.user === user && c.state === 'blocked');
}

function BlockedLine({ user }: { user: string }) {
  return (
    <div class="blocked-line">
      You have blocked <bdi>{nameOf(user)}</bdi>.
      <button type="button" class="text-button" onClick={() => void attempt(() => chat.call('contact.unblock', { user }))}>
        Unblock
      </button>
      <button type="button" class="text-button" onClick={() => openUser(user)}>
        Profile
      </button>
    </div>
  );
}

/** Not in the list: hidden, too new for it, or not for one's eyes; the server knows. */
function Unknown({ channel }: { channel: string }) {
  const [gone, setGone] = useState(false);
  const online = state.value.status === 'online';
  useEffect(() => {
    if (online) chat.members(channel).catch((error) => setGone(error instanceof ChatError && error.code === 404));
  }, [channel, online]);
  return (
    <section class="conversation empty">
      <p class="soft">{gone ? 'You are not in this conversation.' : online ? 'Loading…' : 'This conversation is shown when you are online.'}</p>
      <button type="button" class="button" onClick={() => go({ section: 'chats' }, true)}>
        Back to the list
      </button>
    </section>
  );
}
