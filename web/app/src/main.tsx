import './style/base.css';
import './style/controls.css';
import './style/shell.css';
import './style/list.css';
import './style/conversation.css';
import './style/message.css';
import './style/composer.css';
import './style/pages.css';
import { render } from 'preact';
import { start } from './model/chat.ts';
import { startNotifying } from './model/notify.ts';
import { startOffline } from './model/offline.ts';
import { App } from './view/app.tsx';

render(<App />, document.getElementById('app')!);
void start();
startNotifying();
startOffline();
