// The emoji the picker offers: a row of names each, so that typing finds them.

const LIST = `
Smileys
😀 grin happy|😃 smile happy|😄 laugh smile|😁 beam grin|😆 laugh squint|😅 sweat relief|😂 joy tears laugh|🤣 rolling laugh rofl|🙂 slight smile|🙃 upside down
😉 wink|😊 blush smile|😇 angel innocent|🥰 love hearts|😍 heart eyes love|🤩 star struck wow|😘 kiss|😋 yum tasty|😜 wink tongue|🤪 zany crazy
🤗 hug|🤭 oops giggle|🤫 quiet shh|🤔 think hmm|🤨 doubt eyebrow|😐 neutral|😏 smirk|🙄 eye roll|😬 grimace awkward|😌 relieved calm
😴 sleep tired|🤒 sick fever|🤧 sneeze cold|🥵 hot|🥶 cold freeze|😵 dizzy|🤯 mind blown|🥳 party celebrate|😎 cool sunglasses|🤓 nerd
😕 confused|😟 worried|😮 surprised wow|😲 astonished|😳 flushed|🥺 please pleading|😢 cry sad|😭 sob cry|😤 huff|😡 angry|🤬 swear|💀 skull dead|🤖 robot|👻 ghost
People
👍 thumbs up yes like|👎 thumbs down no|👌 ok perfect|✌️ victory peace|🤞 fingers crossed luck|🤙 call|👋 wave hello bye|✋ hand stop|👏 clap applause|🙌 hands praise
🙏 thanks please pray|💪 strong muscle|🤝 handshake deal|👀 eyes look|🧠 brain|🫶 heart hands|🤷 shrug|🤦 facepalm|🙋 raise hand|💁 info
❤️ heart love red|🧡 heart orange|💛 heart yellow|💚 heart green|💙 heart blue|💜 heart purple|🖤 heart black|💔 broken heart|✨ sparkles|🔥 fire hot
Nature
🐶 dog|🐱 cat|🐭 mouse|🦊 fox|🐻 bear|🐼 panda|🦁 lion|🐮 cow|🐷 pig|🐸 frog|🐵 monkey|🐔 chicken|🐧 penguin|🦉 owl|🐝 bee|🦋 butterfly|🐢 turtle|🐙 octopus
🌱 plant sprout|🌳 tree|🌵 cactus|🌸 blossom flower|🌹 rose|🍀 clover luck|🌍 earth world|🌙 moon night|⭐ star|☀️ sun|🌧️ rain|❄️ snow|🌈 rainbow|🌊 wave sea
Food
🍎 apple|🍌 banana|🍓 strawberry|🍉 melon|🥑 avocado|🥕 carrot|🍞 bread|🧀 cheese|🥐 croissant|🍕 pizza|🍔 burger|🍟 fries|🌮 taco|🍣 sushi|🍜 noodles soup
🍰 cake|🎂 birthday cake|🍪 cookie|🍫 chocolate|🍿 popcorn|☕ coffee|🍵 tea|🍺 beer|🍷 wine|🥂 cheers
Things
⚽ football|🏀 basketball|🎾 tennis|🚴 bike|🏃 run|🎮 game|🎲 dice|🎵 music|🎸 guitar|🎨 art|🎬 film|📷 camera|✈️ plane travel|🚗 car|🚆 train|🚀 rocket launch|🏠 home|⏰ alarm clock
💡 idea light|🔒 lock|🔑 key|💻 laptop computer|📱 phone|📎 clip|📅 calendar date|📌 pin|✏️ pencil edit|📚 books|💰 money|🎁 gift|🎉 party tada|🏆 trophy win|🐛 bug|🔧 tool fix
Signs
✅ check done yes|❌ cross no|❗ exclamation|❓ question|💯 hundred|⚠️ warning|🚫 forbidden|➕ plus|♻️ recycle|💤 sleep|💬 speech chat|🕐 time|🆗 ok|🔴 red|🟡 yellow|🟢 green|🔵 blue|🏁 finish flag|🏳️‍🌈 rainbow flag
`;

export interface Emoji {
  emoji: string;
  name: string;
}

export interface EmojiGroup {
  name: string;
  emoji: Emoji[];
}

function read(list: string): EmojiGroup[] {
  const groups: EmojiGroup[] = [];
  for (const line of list.trim().split('\n')) {
    if (/^[A-Z]/.test(line)) {
      groups.push({ name: line, emoji: [] });
      continue;
    }
    for (const entry of line.split('|')) {
      const [emoji, ...words] = entry.split(' ');
      groups[groups.length - 1]!.emoji.push({ emoji: emoji!, name: words.join(' ') });
    }
  }
  return groups;
}

let groups: EmojiGroup[] | undefined;

export function emojiGroups(): EmojiGroup[] {
  return (groups ??= read(LIST));
}

/** The emoji one of whose words begins with the query. */
export function findEmoji(query: string): Emoji[] {
  const word = query.trim().toLowerCase();
  return emojiGroups().flatMap((g) => g.emoji.filter((e) => e.name.split(' ').some((n) => n.startsWith(word))));
}
