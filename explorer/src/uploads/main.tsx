import { mount } from '../frame/Frame';
import { Uploads } from './Uploads';
import './uploads.css';

mount(<Uploads />);
