import { mount } from '../frame/Frame';
import { Status } from './Status';
import './status.css';

mount(<Status />);
